"""Data and artifacts that a clone lacks, and what cannot be done without them.

They are kept outside git, so a fresh clone lacks them all. Which job read which of them stands in
the receipts, which are in git.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan
from iic.provenance import graph
from iic.provenance.jobs import Job, all_jobs
from iic.provenance.why import Answer
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.links import Receipts
from iic.records.receipt import Receipt

MIRROR = "iic restore --scale {scale} --mirror DIR_OR_URL, which has {dataset}/<file>"
NAMED = 4
"""Jobs of a kind that a line names."""
VERBS = {"train": "training", "evaluate": "scoring", "tabulate": "writing", "draw": "drawing"}

Readers = dict[str, dict[str, Job]]
"""File that is not here -> name of a job that read it -> the job."""


@dataclass(frozen=True)
class Absence:
    """Something that is not here, in one line each."""

    what: str
    forbids: str
    remedy: str | None = None


def absent(
    plan: Plan, root: Path = Path(), why_not: Mapping[str, str] | None = None
) -> list[Absence]:
    """What the results of a scale were made from and with, and is not here.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        why_not: Dataset -> why it could not be obtained, where that was tried.

    Returns:
        One entry a dataset, and one for each training whose artifacts are read by another job; all
        other artifacts together are one.
    """
    receipts = list(_receipts(plan, root))
    readers: Readers = defaultdict(dict)
    for job, receipt in receipts:
        for read in receipt.inputs:
            if not (root / read.path).exists():
                readers[read.path][job.name] = job
    return [*_data(plan, readers, why_not or {}), *_artifacts(plan, root, receipts, readers)]


def lost_artifacts(plan: Plan, job: Job, receipts: Receipts) -> list[str]:
    """Artifacts that `job` reads and that are not here, with what their training took.

    So it costs that to do the job again, where no remote and no mirror has them.
    """
    lost = []
    for edge in graph.edges(plan, job) if job.rule in ("train", "draw") else ():
        files = [path for path in edge.files if graph.as_made(path) != path]
        receipt = receipts.receipt(str(edge.parent.receipt))
        if receipt and any(not (receipts.root / path).exists() for path in files):
            took = duration(receipt.timing.seconds)
            lost.append(f"the artifacts of {edge.parent.target}, a training of {took}")
    return lost


def explained(answer: Answer, scale: str) -> bool:
    """Whether a job is left to do for nothing but the absence of data or artifacts."""
    if answer.job.rule in ("download", "prepare"):
        return answer.status == "never run"
    outside_git = ("data/", f"{paths.RESULTS / scale / 'artifacts'}/")
    return answer.status == "outputs missing" and all(
        reason.startswith(outside_git) for reason in answer.reasons
    )


def _receipts(plan: Plan, root: Path) -> Iterator[tuple[Job, Receipt]]:
    for job in all_jobs(plan):
        if job.rule not in ("download", "prepare"):
            try:
                yield job, read_record(root / job.receipt, Receipt)
            except RecordError:
                continue  # absent; a damaged one stops the restore before


def _data(plan: Plan, readers: Readers, why_not: Mapping[str, str]) -> Iterator[Absence]:
    for dataset in plan.datasets:
        folder = f"{paths.prepared_manifest(dataset).parent}/"
        by_file = [jobs for path, jobs in readers.items() if path.startswith(folder)]
        if by_file:
            reason = f" ({why_not[dataset]})" if dataset in why_not else ""
            yield Absence(
                f"the data of {dataset} are not here{reason}",
                f"without them nobody can repeat: {_named(by_file)}",
                MIRROR.format(scale=plan.scale.name, dataset=dataset),
            )


def _artifacts(
    plan: Plan, root: Path, receipts: Sequence[tuple[Job, Receipt]], readers: Readers
) -> Iterator[Absence]:
    unread = 0
    for job, receipt in receipts:
        folder = paths.RESULTS / plan.scale.name / "artifacts"
        lacking = [
            output.path
            for output in receipt.outputs
            if folder in Path(output.path).parents and not (root / output.path).exists()
        ]
        needed = [readers[path] for path in lacking if path in readers]
        if needed:
            names = ", ".join(Path(path).stem for path in lacking)
            yield Absence(
                f"the artifacts of {job.target} ({names}) are not here",
                f"without them, or training it again ({duration(receipt.timing.seconds)} then), "
                f"nobody can repeat: {_named(needed)}",
            )
        elif lacking:
            unread += 1
    if unread:
        yield Absence(
            f"the artifacts of {unread} trainings are not here",
            "no table, figure or other training reads them",
        )


def _named(readers: Sequence[Mapping[str, Job]]) -> str:
    """The jobs, each once, such as ``training mnist/iic/seed0; drawing figure_3``."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for job in {name: job for jobs in readers for name, job in jobs.items()}.values():
        kinds[VERBS[job.rule]].append(job.target)
    parts = []
    for kind, targets in kinds.items():
        left = len(targets) - NAMED
        more = f" and {left} more" if left > 0 else ""
        parts.append(f"{kind} {', '.join(targets[:NAMED])}{more}")
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Such as ``85 s``, ``12 min`` or ``2 h 28 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
