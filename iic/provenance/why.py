"""Why a job would run again, or would not: ``iic why TARGET``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iic.params.runs import Plan
from iic.provenance.changes import acceptance_of, changes_since, stands
from iic.provenance.fingerprint import CodeError, fingerprint
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.links import Receipts, standing
from iic.records.receipt import Receipt

Status = Literal[
    "never run", "damaged", "changed", "parents changed", "outputs missing", "outputs altered",
    "accepted", "up to date",
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The state of one job on disk, against code, settings and data as they are now."""

    job: Job
    status: Status
    reasons: tuple[str, ...] = ()
    """One line each."""

    @property
    def fresh(self) -> bool:
        """Whether there is nothing to do."""
        return self.status in ("accepted", "up to date")


def why(job: Job, root: Path = Path(), *, strict_env: bool | None = None) -> Answer:
    """Compare the job's receipt with what the job would be now.

    Raises:
        SettingsError: The settings are wrong.
    """
    path = root / job.receipt
    if not path.exists():
        return Answer(job, "never run", (f"there is no {job.receipt}",))
    try:
        receipt = read_record(path, Receipt)
    except RecordError as error:
        return Answer(job, "damaged", (str(error),))
    try:
        current = fingerprint(job, strict_env=strict_env)
    except CodeError as error:
        return Answer(job, "changed", (str(error),))
    acceptance = acceptance_of(receipt, current)
    different = tuple(str(change) for change in changes_since(receipt, current))
    if not stands(receipt, current):
        return Answer(job, "changed", different or ("the lock file counts now, or no longer",))
    missing = [one.path for one in receipt.outputs if not (root / one.path).exists()]
    if missing:
        return Answer(job, "outputs missing", tuple(f"{name} is missing" for name in missing))
    altered = [one.path for one in receipt.outputs if sha256_file(root / one.path) != one.sha256]
    if altered:
        reasons = tuple(f"{name} is not what the job wrote" for name in altered)
        return Answer(job, "outputs altered", reasons)
    if parents := tuple(_changed_parents(receipt, root)):
        return Answer(job, "parents changed", parents)
    if acceptance is not None and receipt.fingerprint.value != current.value:
        return Answer(job, "accepted", (f"because: {acceptance.because}", *different))
    return Answer(job, "up to date")


def left_over(plan: Plan, target: str, root: Path = Path()) -> str | None:
    """What to say of a target that is no job today, though its files are there; else None."""
    scale, wanted = plan.scale.name, target.strip().rstrip("/")
    results = paths.RESULTS / scale
    if wanted in (str(paths.audit_report(scale)), str(paths.audit_page(scale))):
        return "the audit has no receipt: it runs again after any other job, and by iic audit"
    places = [Path(wanted), results / "runs" / wanted, results / "artifacts" / wanted]
    places += [paths.table(scale, wanted), paths.figure(scale, wanted)]
    if Path(wanted).is_absolute() or ".." in Path(wanted).parts:
        return None
    if any(results in place.parents and (root / place).exists() for place in places):
        return (
            f"its files are there, but no job of scale {scale!r} makes them any more: "
            f"iic prune --scale {scale} lists what is left of it"
        )
    return None


def _changed_parents(receipt: Receipt, root: Path) -> list[str]:
    receipts = Receipts(root)
    found = []
    for parent in receipt.parents:
        state = standing(receipt, parent, receipts)
        if state == "missing":
            found.append(f"{parent.path} is missing")
        elif state == "damaged":
            found.append(receipts.damaged[parent.path])
        elif state == "another":
            found.append(f"{parent.path} was written anew")
    return found
