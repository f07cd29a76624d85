"""The wrapper of every job: checks before, receipt after.

All receipts are written here. A receipt is the last file that a job writes: where one lies, the
job ended well, and what it says is true of the files as they were at that moment.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from iic.cli.input_times import refuse_future_times
from iic.params.runs import load_plan
from iic.provenance.agreement import check_plan
from iic.provenance.earlier import Earlier, confirmed, earlier
from iic.provenance.environment import code_state, environment, uncommitted_code
from iic.records import paths
from iic.records.clock import Clock
from iic.records.files import (
    OTHER_VERSION,
    RecordError,
    read_record,
    sha256_file,
    sha256_json,
    write_bytes,
    write_record,
)
from iic.records.receipt import (
    FileRecord,
    Fingerprint,
    ParentRecord,
    Receipt,
    Session,
    Timing,
)

log = logging.getLogger(__name__)

NAMED = 6
"""Uncommitted files that a warning names."""


@dataclass
class Work:
    """What a job tells its wrapper while it runs."""

    seed: int | None = None
    precision: str | None = None
    deterministic: bool | None = None
    stand_in: bool = False
    """Whether the numbers come from stand-in data."""
    outcome: dict[str, Any] = field(default_factory=dict)
    """What was found out beyond the files; JSON."""
    sessions: list[Session] = field(default_factory=list)
    trajectory: list[float] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def output(self, *paths: Path) -> None:
        """Name files that the job has written, relative to the root of the clone."""
        self.outputs += [path for path in paths if path not in self.outputs]


@contextlib.contextmanager
def job(
    rule: str,
    wildcards: Mapping[str, str],
    *,
    fingerprint: Fingerprint,
    receipt_path: Path,
    planned_fingerprint: str | None = None,
    inputs: Iterable[Path] = (),
    parents: Iterable[Path] = (),
    threads: int = 1,
    seed: int | None = None,
    stand_in: bool = False,
    root: Path = Path(),
) -> Iterator[Work]:
    """Run the block as a job and write its receipt when it ends well.

    An older receipt is removed first, so that it cannot vouch for files which the block replaces.
    If the block fails, no receipt is written. If it ends well and only confirms an older receipt
    (`iic.provenance.earlier`), that one is put back, and what this job would have written goes to
    ``logs/checks/``.

    Args:
        rule: The verb.
        wildcards: As `iic.provenance.jobs` gives them for this job.
        fingerprint: Of code, settings and data as they are now.
        receipt_path: Where the receipt goes, relative to `root`.
        planned_fingerprint: What the workflow was planned with; None for a verb run by hand.
        inputs: Files that the block reads.
        parents: Receipts of the jobs that made `inputs`; not themselves inputs of the receipt,
            since they may be given acceptances without their content being another.
        threads: CPU threads that the job was given.
        seed: Seed of the job, if it has one.
        stand_in: Whether the numbers come from stand-in data.
        root: Root of the clone.

    Raises:
        PlanChanged: `fingerprint` is not what the workflow was planned with.
        TimeInFuture: An input's time is still to come.
        RecordError: An input or a parent is missing, an input is not what its parent wrote or
            cannot be read by the block, an output that the block named does not exist, or the
            receipt cannot be written.
    """
    name = f"{rule} {' '.join(wildcards.values())}"
    target = root / receipt_path
    before = earlier(receipt_path, root)
    check_plan(planned_fingerprint, fingerprint.value, name)
    if "scale" in wildcards and load_plan(wildcards["scale"]).scale.real:
        _warn_of_uncommitted(root)
    inputs, parents = tuple(inputs), tuple(parents)
    by_workflow = [*inputs, *parents] if planned_fingerprint is not None else []
    refuse_future_times(by_workflow, root, name)
    clock = Clock()
    read = [_record(path, root, "input", name) for path in inputs]
    above = [_parent(path, root, read) for path in parents]
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise RecordError(f"{receipt_path}: cannot be replaced: {error.strerror}") from error

    work = Work(seed=seed, stand_in=stand_in)
    try:
        yield work
    except RecordError as error:
        raise RecordError(f"{error}{_remedy(str(error), read, above, root)}") from error

    # the system's clock may have been set back since, or a file touched
    refuse_future_times(by_workflow, root, name)
    end = clock.now
    receipt = Receipt(
        rule=rule,
        wildcards=dict(wildcards),
        command=["iic", *sys.argv[1:]],
        fingerprint=fingerprint,
        settings_sha256=sha256_json(fingerprint.settings),
        inputs=read,
        outputs=[_record(path, root, "output", name) for path in work.outputs],
        parents=above,
        code=code_state(root),
        environment=environment(threads, root),
        seed=work.seed,
        precision=work.precision,
        deterministic=work.deterministic,
        stand_in=work.stand_in,
        timing=Timing(
            start=clock.start,
            end=end,
            seconds=round((end - clock.start).total_seconds(), 3),
            peak_memory_bytes=_peak_memory(),
        ),
        sessions=work.sessions,
        trajectory=work.trajectory,
        outcome=work.outcome,
    )
    _write(receipt.sealed(), confirmed(before, receipt, root), receipt_path, root)


def _write(receipt: Receipt, kept: Earlier | None, path: Path, root: Path) -> None:
    """Write a job's receipt, or put back the older one that it confirms."""
    if kept is None:
        write_record(root / path, receipt)
        return
    check = paths.check_of(path)
    write_record(root / check, receipt)
    write_bytes(root / path, kept.content)
    log.info(
        "%s: made again with the same bytes; the receipt of %s stays; this check: %s",
        path,
        f"{kept.receipt.timing.end:%Y-%m-%d}",
        check,
    )


@cache
def _warn_of_uncommitted(root: Path) -> None:
    """Once a process: what no commit has cannot be fetched by whoever reads the receipt."""
    if code_state(root).dirty:
        changed = uncommitted_code(root) or []
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        log.warning(
            "uncommitted changes in %s%s: the receipt of this real run will say dirty, so that its "
            "code is known by its hash alone. To avoid that, stop, commit, and run again",
            ", ".join(changed[:NAMED]),
            more,
        )


def _record(path: Path, root: Path, role: str, name: str) -> FileRecord:
    relative = path.relative_to(root) if path.is_absolute() and root.is_absolute() else path
    if relative.is_absolute() or ".." in relative.parts:
        raise RecordError(f"{name}: {role} {path} lies outside the clone {root.resolve()}")
    try:
        size = (root / relative).stat().st_size
        digest = sha256_file(root / relative)
    except FileNotFoundError:
        raise RecordError(f"{name}: {role} {relative} is missing") from None
    except OSError as error:
        raise RecordError(f"{name}: {role} {relative} cannot be read: {error.strerror}") from error
    return FileRecord(path=relative.as_posix(), sha256=digest, size=size)


def _parent(path: Path, root: Path, read: list[FileRecord]) -> ParentRecord:
    """The parent's digest, after a look at whether it vouches for what this job reads."""
    receipt = read_record(root / path, Receipt)
    wrote = {output.path: output for output in receipt.outputs}
    for record in read:
        if record.path in wrote and wrote[record.path].sha256 != record.sha256:
            raise RecordError(
                f"{record.path}: changed after {path} was written; delete it and run the "
                "workflow again"
            )
    return ParentRecord(path=path.as_posix(), digest=receipt.digest)


def _remedy(problem: str, read: list[FileRecord], above: list[ParentRecord], root: Path) -> str:
    """What to do about an input that is what its receipt says, and still cannot be read."""
    if OTHER_VERSION in problem:
        return ""
    for record in read:
        if problem.startswith(f"{root / record.path}: "):
            makers = [
                parent.path
                for parent in above
                if record.path
                in {output.path for output in read_record(root / parent.path, Receipt).outputs}
            ]
            if makers:
                return (
                    "\n  remedy: it is as it was written, so another version of iic may have done "
                    f"that: use that version, or delete {makers[0]} and run the workflow again"
                )
    return ""


def _peak_memory() -> int:
    """Bytes of the largest process of this job, helpers included."""
    usage = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return usage if sys.platform == "darwin" else usage * 1024
