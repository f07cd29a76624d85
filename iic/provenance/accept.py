"""``iic accept``: keep a finished training across a change of code that alters no number.

A person says so and says why; the receipt records both, the audit shows them. Later work edits
the engine, and weeks of GPU time must not be spent again because a function was renamed.

A change of the lock file alone can be accepted for every job: a figure of a run whose artifacts
are not at hand cannot be drawn again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import load_plan
from iic.provenance.absent import lost_artifacts
from iic.provenance.changes import acceptance_of, accepts_lock, changes, changes_since
from iic.provenance.environment import code_state
from iic.provenance.fingerprint import fingerprint
from iic.provenance.jobs import Job
from iic.provenance.lock_file import lock_hash
from iic.records.files import read_record, sha256_file, write_record
from iic.records.links import Receipts
from iic.records.receipt import Acceptance, Fingerprint, Receipt


class NotAcceptable(IICError):
    """The run cannot be accepted as it is."""


@dataclass(frozen=True)
class Accepted:
    """One receipt that now stands for the code as it is."""

    job: Job
    changed: tuple[str, ...]
    """What had changed."""


def accept(chosen: Sequence[Job], because: str, root: Path = Path()) -> list[Accepted]:
    """Add an acceptance to the receipts of those jobs whose code or lock file changed.

    A figure counts where it cannot be drawn again, since artifacts that it reads are not here; any
    jobs than trainings only where nothing but the lock file changed.

    The receipt keeps its modification time, and its digest does not count acceptances, so that
    neither the workflow nor the chain of receipts sees a change.

    Args:
        chosen: Jobs, e.g. the trainings and evaluations of all seeds of a run.
        because: Why no number is altered.
        root: Root of the clone.

    Raises:
        NotAcceptable: `because` is empty; there is nothing to accept; or, for any of them, other
            things than code and new settings changed, or its files are not what it wrote. Then
            none is accepted.
        RecordError: A receipt is damaged or cannot be written.
    """
    reason = " ".join(because.split())
    if not reason:
        raise NotAcceptable("--because is empty: say why the change alters no number")
    judged = [_judge(job, root) for job in chosen]
    accepted = [judgement for judgement in judged if isinstance(judgement, _Change)]
    if not accepted:
        raise NotAcceptable("\n".join(str(judgement) for judgement in judged))
    commit, now = code_state(root).commit, datetime.now(UTC)
    for change in accepted:
        added = Acceptance(
            fingerprint=change.current.value,
            because=reason,
            changed=list(change.changed),
            commit=commit,
            at=now,
            lock=lock_hash(root),
            identity=change.current.identity,
            code=change.current.code,
        )
        path = root / change.job.receipt
        times = path.stat()
        # only the newest says by name what it accepted
        earlier = [old.model_copy(update={"code": {}}) for old in change.receipt.acceptances]
        acceptances = [*earlier, added]
        write_record(path, change.receipt.model_copy(update={"acceptances": acceptances}))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return [Accepted(kept.job, kept.changed) for kept in accepted]


@dataclass(frozen=True)
class _Change:
    """A job of which nothing changed but what can be accepted."""

    job: Job
    receipt: Receipt
    current: Fingerprint
    changed: tuple[str, ...]


def _undrawable(job: Job, root: Path) -> bool:
    """Whether it is a figure whose artifacts are not all here."""
    if job.rule != "draw":
        return False
    return bool(lost_artifacts(load_plan(job.wildcards["scale"]), job, Receipts(root)))


def _judge(job: Job, root: Path) -> _Change | str:
    """The change, or why there is none to accept; an error where it is not for a person to say."""
    if not (root / job.receipt).exists():
        return f"{job.name}: never run, nothing to accept"
    receipt = read_record(root / job.receipt, Receipt)
    current = fingerprint(job, strict_env=False)
    different = changes(receipt.fingerprint, current)
    lock = lock_hash(root)
    drifted = receipt.environment.lock != lock and not accepts_lock(receipt, lock)
    if different and job.rule != "train" and not _undrawable(job, root):
        return f"{job.name}: only trainings are accepted so; it is quick to run again"
    if not different and not drifted:
        return f"{job.name}: nothing changed since it ran, nothing to accept"
    if different and acceptance_of(receipt, current) is not None and not drifted:
        return f"{job.name}: this very change is accepted already"
    beyond = [str(change) for change in different if not change.acceptable]
    if beyond:
        raise NotAcceptable(
            f"{job.name}: only a change of code, or a new setting with a default, can be "
            "accepted, but\n  "
            + "\n  ".join(beyond)
            + "\nThis makes it another experiment: run it again"
        )
    for output in receipt.outputs:
        path = root / output.path
        if path.exists() and sha256_file(path) != output.sha256:
            raise NotAcceptable(f"{job.name}: {output.path} is not what the job wrote")
    since = changes_since(receipt, current)
    changed = [str(change) for change in since] + ["requirements.lock"] * drifted
    return _Change(job, receipt, current, tuple(changed))
