"""Why a job would run again, or would not: ``iic why TARGET``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from iic.params.runs import Plan
from iic.provenance.changes import SHORT, acceptance_of, changes_since, shortened, stands
from iic.provenance.fingerprint import CodeError, fingerprint
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.links import Receipts, broken_source, standing
from iic.records.receipt import FileRecord, Fingerprint, Receipt
from iic.records.sources import Sources

Status = Literal[
    "never run", "damaged", "code unreadable", "changed", "parents changed", "outputs missing",
    "outputs altered", "accepted", "up to date",
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The state of one job on disk, against code, settings and data as they are now."""

    job: Job
    status: Status
    reasons: tuple[str, ...] = ()
    """One line each."""
    basis: tuple[str, ...] = ()
    """What the job depends on, one line each; told of what there is nothing to do about."""

    @property
    def fresh(self) -> bool:
        """Whether there is nothing to do."""
        return self.status in ("accepted", "up to date")


def why(
    job: Job,
    root: Path = Path(),
    *,
    strict_env: bool | None = None,
    receipts: Receipts | None = None,
    large: bool = True,
) -> Answer:
    """Compare the job's receipt with what the job would be now.

    Args:
        job: One that has a receipt.
        root: Root of the clone.
        strict_env: Whether the lock file counts; None for what the environment says.
        receipts: Those of the clone, where several jobs are asked about.
        large: Whether data and artifacts are hashed; else their sizes are compared.

    Raises:
        SettingsError: The settings are wrong.
    """
    receipts = Receipts(root) if receipts is None else receipts
    path = str(job.receipt)
    receipt = receipts.receipt(path)
    if receipt is None:
        if path in receipts.damaged:
            return Answer(job, "damaged", (receipts.damaged[path],))
        return Answer(job, "never run", (f"there is no {path}",))
    if (receipt.rule, receipt.wildcards) != (job.rule, job.wildcards):
        return Answer(job, "damaged", (f"{path}: the receipt of another job",))
    if not receipts.sealed(path):
        return Answer(job, "damaged", (f"{path}: edited after it was written",))
    try:
        current = fingerprint(job, strict_env=strict_env)
    except CodeError as error:
        return Answer(job, "code unreadable", (str(error),))
    acceptance = acceptance_of(receipt, current)
    different = tuple(str(change) for change in changes_since(receipt, current))
    if not stands(receipt, current):
        return Answer(job, "changed", different or ("the lock file counts now, or no longer",))
    missing = [output.path for output in receipt.outputs if not (root / output.path).exists()]
    if missing:
        return Answer(job, "outputs missing", tuple(f"{name} is missing" for name in missing))
    altered = [output.path for output in receipt.outputs if _altered(output, root, large)]
    if altered:
        reasons = tuple(f"{name} is not what the job wrote" for name in altered)
        return Answer(job, "outputs altered", reasons)
    if parents := tuple(_changed_parents(job, receipt, receipts)):
        return Answer(job, "parents changed", parents)
    basis = _basis(receipt, current)
    if acceptance is not None and receipt.fingerprint.value != current.value:
        return Answer(job, "accepted", (f"because: {acceptance.because}", *different), basis)
    return Answer(job, "up to date", basis=basis)


def left_over(plan: Plan, target: str, root: Path = Path()) -> str | None:
    """What to say of a target that is no job today, though its files are there; else None."""
    scale, name = plan.scale.name, target.strip().rstrip("/")
    results = paths.RESULTS / scale
    if name in (str(paths.audit_report(scale)), str(paths.audit_page(scale))):
        return "the audit has no receipt: it runs again after any other job, and by iic audit"
    candidates = [Path(name), results / "runs" / name, results / "artifacts" / name]
    candidates += [paths.table(scale, name), paths.figure(scale, name)]
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return None
    if any(results in path.parents and (root / path).exists() for path in candidates):
        return (
            f"its files are there, but no job of scale {scale!r} makes them any more: "
            f"iic prune --scale {scale} lists what is left of it"
        )
    return None


def _basis(receipt: Receipt, current: Fingerprint) -> tuple[str, ...]:
    """Code by room, settings by key, data and inputs by file: what `why` compares."""
    rooms = Counter(".".join(_room(name)) for name in current.code)
    counts = ", ".join(f"{room} {count}" for room, count in sorted(rooms.items()))
    settings = (
        f"settings {key}: {shortened(json.dumps(value))}"
        for key, value in sorted(current.settings.items())
    )
    return (
        f"code of {len(current.code)} definitions: {counts}",
        *settings,
        *(f"data {name}: {digest[:SHORT]}" for name, digest in sorted(current.data.items())),
        *(f"input {record.path}: {record.sha256[:SHORT]}" for record in receipt.inputs),
        *(f"lock file requirements.lock: {lock[:SHORT]}" for lock in [current.environment] if lock),
    )


def _room(name: str) -> list[str]:
    """The part of a definition's name that says where in the house it lies."""
    parts = name.split(".")
    return parts[: 3 if parts[1] == "methods" else 2]


def _altered(record: FileRecord, root: Path, large: bool) -> bool:
    path = root / record.path
    in_git = not record.path.startswith("data/") and "/artifacts/" not in record.path
    if large or in_git:
        return sha256_file(path) != record.sha256
    return path.stat().st_size != record.size


def _changed_parents(job: Job, receipt: Receipt, receipts: Receipts) -> Iterator[str]:
    for parent in receipt.parents:
        state = standing(receipt, parent, receipts)
        if state == "missing":
            yield f"{parent.path} is missing"
        elif state == "damaged":
            yield receipts.damaged[parent.path]
        elif state == "another":
            yield f"{parent.path} was written anew"
    if job.rule == "report":
        # the audit that the page shows has no receipt
        audit = str(paths.audit_report(job.wildcards["scale"]))
        shown = [read for read in receipt.inputs if read.path == audit]
        if any(_altered(read, receipts.root, large=True) for read in shown):
            yield f"{audit} was written anew"
    if job.rule in ("tabulate", "draw"):
        yield from _changed_sources(job, receipts)


def _changed_sources(job: Job, receipts: Receipts) -> Iterator[str]:
    """What the audit, too, finds wrong with the receipts that a table or figure quotes."""
    path = next(path for path in job.outputs if path.name.endswith(".sources.json"))
    try:
        sources = read_record(receipts.root / path, Sources)
    except RecordError as error:
        yield str(error)
        return
    seeds = (*(cell.seeds for cell in sources.cells), *(entry.seeds for entry in sources.series))
    for source in chain.from_iterable(seeds):
        yield from (broken.message for broken in broken_source(source, receipts))
