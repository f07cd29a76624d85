"""A folder in which a job is repeated with the clone's code and settings.

It lies under ``scratch/`` and links to what the job reads. What the job writes stays in
it, so that the results which are audited are not touched; it is deleted in the end.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.errors import IICError
from iic.provenance import isolated
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.receipt import Receipt

LINKED = ("iic", "params", "workflow", "Snakefile", "pyproject.toml", "requirements.lock")
PREFIX = "audit-"
"""How the folder's name begins, below scratch/; what follows is random."""
SHOWN = 600
"""Characters of a failed training's last words that are shown."""


@dataclass(frozen=True)
class Repeated:
    """A job that has been repeated."""

    seconds: float
    error: str | None
    """Its last words, where it failed."""
    timed_out: bool = False


@contextlib.contextmanager
def workshop(root: Path, data: Path | None = None) -> Iterator[Path]:
    """The folder, as a clone without results; deleted when the block ends.

    Args:
        root: Root of the clone.
        data: What stands for its data; by default a folder of its own, with the clone's raw files.

    Raises:
        IICError: It cannot be made.
    """
    scratch = (root / paths.SCRATCH).resolve()
    had_scratch = scratch.exists()
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
    except OSError as error:
        raise IICError(
            f"{paths.SCRATCH}: no folder can be made there to repeat trainings in: {error.strerror}"
        ) from error
    try:
        for name in LINKED:
            source = root.resolve() / name
            if source.exists():
                (folder / name).symlink_to(source)
        own = folder / paths.DATA
        if data is None:
            own.mkdir()
            (folder / paths.RAW).symlink_to((root / paths.RAW).resolve())
        else:
            own.symlink_to(data.resolve())
        yield folder
    finally:
        # links are removed, never followed
        shutil.rmtree(folder, ignore_errors=True)
        if not had_scratch:
            with contextlib.suppress(OSError):
                scratch.rmdir()


def repeat(job: Job, receipt: Receipt, folder: Path, root: Path, most_seconds: float) -> Repeated:
    """Train again inside a `workshop`.

    Args:
        job: A job of the rule ``train``.
        receipt: Its receipt, which says what it read.
        folder: The workshop.
        root: Root of the clone.
        most_seconds: When to give up.
    """
    link_base(receipt, folder, root)
    names = job.wildcards
    run = ("--run", names["run"], "--seed", names["seed"])
    return verb(folder, most_seconds, "train", "--scale", names["scale"], *run)


def link_base(receipt: Receipt, folder: Path, root: Path) -> None:
    """Link to what a training read of another run: weights and receipt. Data are there as a whole.

    Args:
        receipt: The training's.
        folder: The workshop.
        root: Root of the clone.
    """
    above = [read.path for read in receipt.inputs] + [parent.path for parent in receipt.parents]
    for path in above:
        if path.startswith(f"{paths.RESULTS}/"):
            link = folder / path
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to((root / path).resolve())


def verb(folder: Path, most_seconds: float, *words: str) -> Repeated:
    """Run ``python -m iic`` inside a `workshop`.

    Args:
        folder: The workshop.
        most_seconds: When to give up.
        *words: The verb with its options.
    """
    command, variables = isolated.another("iic.cli.app", words, folder)
    start = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=most_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Repeated(time.monotonic() - start, None, timed_out=True)
    seconds = time.monotonic() - start
    if done.returncode:
        said = " ".join(done.stdout.split())[-SHOWN:]
        return Repeated(seconds, f"exit status {done.returncode}: {said or 'it said nothing'}")
    return Repeated(seconds, None)


def gpus() -> int:
    """GPUs that torch sees; asked in a process of its own, since torch is slow to import."""
    script = "import torch; print(torch.cuda.device_count())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    return int(done.stdout) if done.returncode == 0 else 0
