"""``iic accept``: keep a finished training across a change of code that alters no number.

A person says so and says why; the receipt records both, the audit shows them. Later work edits
the engine, and weeks of GPU time must not be spent again because a function was renamed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iic.params.errors import IICError
from iic.provenance.changes import acceptance_of, changes
from iic.provenance.environment import code_state
from iic.provenance.fingerprint import fingerprint
from iic.provenance.jobs import Job
from iic.records.files import read_record, sha256_file, write_record
from iic.records.receipt import Acceptance, Receipt


class NotAcceptable(IICError):
    """The run cannot be accepted as it is."""


@dataclass(frozen=True)
class Accepted:
    """One receipt that now stands for the code as it is."""

    job: Job
    changed: tuple[str, ...]
    """What had changed."""


def accept(trainings: list[Job], because: str, root: Path = Path()) -> list[Accepted]:
    """Add an acceptance to the receipt of every training, or to none.

    The receipt keeps its modification time, and its digest does not count acceptances, so that
    neither the workflow nor the chain of receipts sees a change.

    Args:
        trainings: Jobs of the rule ``train``, e.g. all seeds of a run.
        because: Why no number is altered.
        root: Root of the clone.

    Raises:
        NotAcceptable: `because` is empty; nothing changed, or other things than code did; or a
            run's files are not what it wrote.
        RecordError: A receipt is missing, damaged or cannot be written.
    """
    reason = " ".join(because.split())
    if not reason:
        raise NotAcceptable("--because is empty: say why the change alters no number")
    judged = [(job, *_judge(job, root)) for job in trainings if job.rule == "train"]
    if not judged:
        raise NotAcceptable("only trainings can be accepted: everything else is quick to run again")
    commit = code_state(root).commit
    now = datetime.now(UTC)
    for job, receipt, changed in judged:
        added = Acceptance(
            fingerprint=fingerprint(job, strict_env=False).value,
            because=reason,
            changed=list(changed),
            commit=commit,
            at=now,
        )
        path = root / job.receipt
        times = path.stat()
        write_record(
            path, receipt.model_copy(update={"acceptances": [*receipt.acceptances, added]})
        )
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return [Accepted(job, changed) for job, _, changed in judged]


def _judge(job: Job, root: Path) -> tuple[Receipt, tuple[str, ...]]:
    """The receipt and what changed since; an error where that is not for a person to accept."""
    receipt = read_record(root / job.receipt, Receipt)
    current = fingerprint(job, strict_env=False)
    different = changes(receipt.fingerprint, current)
    if not different:
        raise NotAcceptable(f"{job.name}: nothing changed since it ran, nothing to accept")
    if acceptance_of(receipt, current) is not None:
        raise NotAcceptable(f"{job.name}: this very change is accepted already")
    beyond = [str(change) for change in different if change.part != "code"]
    if beyond:
        raise NotAcceptable(
            f"{job.name}: only a change of code can be accepted, but\n  "
            + "\n  ".join(beyond)
            + "\nThese make it another experiment: run it again"
        )
    for output in receipt.outputs:
        path = root / output.path
        if path.exists() and sha256_file(path) != output.sha256:
            raise NotAcceptable(f"{job.name}: {output.path} is not what the job wrote")
    return receipt, tuple(str(change) for change in different)
