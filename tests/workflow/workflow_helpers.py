"""Clones of this repository, and how to drive Snakemake, DVC and the command line in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iic.params.resolve import merged
from iic.params.runs import load_plan

ROOT = Path(__file__).resolve().parents[2]
NOTHING = "Nothing to be done"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    said: str
    """Both streams, in the order in which they were written."""


@dataclass(frozen=True)
class Finished:
    """A clone with results, and what was said on the way."""

    path: Path
    by_dvc: Done
    by_snakemake: Done


def environment(**more: str) -> dict[str, str]:
    """The tests' environment without what a user may have set, and with this Python in front."""
    dropped = re.compile(r"IIC_|SNAKEMAKE_|GIT_|PYTHONPATH$")
    kept = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    fixed = {"PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "DVC_NO_ANALYTICS": "1"}
    return {**kept, **fixed, **more}


def run(
    clone: Path, *command: str, expect: int | None = 0, seconds: float = 600, **more: str
) -> Done:
    """Run a command in a clone; any exit status will do where `expect` is None."""
    ended = subprocess.run(
        command,
        cwd=clone,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert expect is None or ended.returncode == expect, (
        f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout[-4000:]}"
    )
    return Done(ended.returncode, ended.stdout)


def snakemake_command(
    *arguments: str, scale: str | None = None, config: Iterable[str] = ()
) -> list[str]:
    """Snakemake's command line, options before targets."""
    settings = [*([f"scale={scale}"] if scale else []), *config]
    options = ["--config", *settings, "--"] if settings else ["--"]
    targets = [argument for argument in arguments if not argument.startswith("-")]
    flags = [argument for argument in arguments if argument.startswith("-")]
    return [sys.executable, "-m", "snakemake", "--cores=2", *flags, *options, *targets]


def snakemake(
    clone: Path,
    *arguments: str,
    scale: str | None = None,
    config: Iterable[str] = (),
    expect: int | None = 0,
    **more: str,
) -> Done:
    """Run Snakemake; `arguments` are targets, and flags as ``--flag`` or ``--flag=value``."""
    command = snakemake_command(*arguments, scale=scale, config=config)
    return run(clone, *command, expect=expect, **more)


def planned(
    clone: Path, *targets: str, scale: str | None = None, config: Iterable[str] = ()
) -> list[str]:
    """Messages of the jobs that Snakemake would run, sorted."""
    said = snakemake(clone, "--dry-run", *targets, scale=scale, config=config).said
    jobs = sorted(re.findall(r"^Job \d+: (.+?\.)(?: At most .+)?$", said, flags=re.MULTILINE))
    assert bool(jobs) != (NOTHING in said), said[-2000:]
    return jobs


def iic(clone: Path, *arguments: str, expect: int | None = 0, **more: str) -> Done:
    """Run a verb of the clone's own package; audits infer nothing, as those of the workflow."""
    if arguments[0] == "audit":
        arguments = (*arguments, "--no-infer")
    return run(clone, sys.executable, "-m", "iic", *arguments, expect=expect, **more)


def dvc(clone: Path, *arguments: str, expect: int | None = 0) -> Done:
    """Run DVC, its index kept apart from the user's."""
    site_cache = str(clone.parent / "dvc-site-cache")
    return run(
        clone, sys.executable, "-m", "dvc", *arguments, expect=expect, DVC_SITE_CACHE_DIR=site_cache
    )


def git(clone: Path, *arguments: str) -> str:
    """Run git as somebody."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return run(clone, "git", *identity, *arguments).said


def make_clone(folder: Path) -> Path:
    """A clean clone of what the work tree holds, committed or not, without ignored files."""
    git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(source.stat().st_mode)
        else:
            target.unlink(missing_ok=True)
    commit(folder)
    return folder


def commit(clone: Path) -> None:
    """Commit everything that git does not ignore."""
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "state of a test")


def copy(clone: Path, target: Path) -> Path:
    """A copy of a clone, results and all, with the times of its files."""
    return Path(shutil.copytree(clone, target, symlinks=True))


def write_scale(clone: Path, name: str, run: str, **settings: Any) -> None:
    """Add a scale of one run with one seed, else as smoke has it; figures and listings left out.

    Every kind of job that a number passes through is still there, in seconds.
    """
    plan = load_plan("smoke")
    table = load_plan("paper").table_runs("table_1")
    others = sorted({f"digits/{row.name}" for row in table if row.dataset == "mnist"} - {run})
    (clone / "params/scales" / f"{name}.yaml").write_text(
        yaml.safe_dump(
            {
                "name": name,
                "description": "One run.",
                "machine": plan.scale.machine,
                "real": False,
                "datasets": {"mnist": "digits"},
                "tables": ["table_1"],
                "figures": [],
                "seeds": {"default": [0]},
                "skip": others,
                "skip_reason": "One run is enough for a test.",
                "changes": {run: merged(plan.run(run).settings_json, settings)},
            }
        )
    )


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one place where `old` stands."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, text: str) -> None:
    """Add `text` at the end of a file."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file below `folder`, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".snakemake_timestamp"
    }
