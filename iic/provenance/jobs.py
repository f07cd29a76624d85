"""Every job of a scale: its rule, its wildcards, its receipt and what it writes.

`audit`, `why`, `accept` and `restore` walk this list; the job wrapper writes the receipts with the
same wildcards, so that a receipt that lies in the wrong place is recognised. What a job reads, and
of which other jobs, is said by `iic.provenance.graph`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import Plan
from iic.params.targets import hint
from iic.records import paths


class UnknownTarget(IICError):
    """A name that stands for no job of the scale."""


@dataclass(frozen=True)
class Job:
    """One job: a rule with its wildcards filled in."""

    rule: str
    wildcards: dict[str, str]
    receipt: Path
    """Relative to the root of the clone."""
    outputs: tuple[Path, ...] = ()
    """Files that it may write besides, whether they exist or not. Which raw files a dataset has is
    for its manifest to say."""

    @property
    def name(self) -> str:
        """As messages call it, e.g. ``train digits/iic seed0``."""
        return f"{self.rule} {self.target}"

    @property
    def target(self) -> str:
        """As a user names it, e.g. ``digits/iic/seed0`` or ``table_1``."""
        if "run" in self.wildcards:
            return f"{self.wildcards['run']}/seed{self.wildcards['seed']}"
        return self.wildcards.get("name") or self.wildcards.get("dataset") or self.rule


def download(dataset: str) -> Job:
    """Obtaining a dataset's raw files."""
    manifest = paths.raw_manifest(dataset)
    return Job("download", {"dataset": dataset}, paths.receipt_of(manifest), (manifest,))


def prepare(dataset: str) -> Job:
    """Turning raw files into arrays."""
    manifest = paths.prepared_manifest(dataset)
    outputs = (manifest, *paths.prepared_arrays(dataset))
    return Job("prepare", {"dataset": dataset}, paths.receipt_of(manifest), outputs)


def train(scale: str, run: str, seed: int) -> Job:
    """One training; `run` is ``<dataset>/<method>[-<variant>]``."""
    own = paths.RunPaths(scale, run, seed)
    outputs = (own.history, own.assignments, own.weights, own.probabilities, own.snapshots)
    return Job("train", {"scale": scale, "run": run, "seed": str(seed)}, own.receipt, outputs)


def evaluate(scale: str, run: str, seed: int) -> Job:
    """The scores of one training."""
    wildcards = {"scale": scale, "run": run, "seed": str(seed)}
    evaluation = paths.RunPaths(scale, run, seed).evaluation
    return Job("evaluate", wildcards, paths.receipt_of(evaluation), (evaluation,))


def tabulate(scale: str, name: str) -> Job:
    """One table."""
    csv = paths.table(scale, name)
    wildcards = {"scale": scale, "name": name}
    return Job("tabulate", wildcards, paths.receipt_of(csv), paths.table_files(csv))


def draw(scale: str, name: str) -> Job:
    """One figure."""
    svg = paths.figure(scale, name)
    outputs = (svg, svg.with_suffix(".png"), paths.sources_of(svg))
    return Job("draw", {"scale": scale, "name": name}, paths.receipt_of(svg), outputs)


def report(scale: str) -> Job:
    """The page that shows everything, with the audit's verdict: made last, from all the others."""
    page = paths.report_page(scale)
    return Job("report", {"scale": scale}, paths.receipt_of(page), (page,))


def audit(scale: str) -> Job:
    """The audit, which has no receipt: its report stands in for one."""
    return Job("audit", {"scale": scale}, paths.audit_report(scale), (paths.audit_page(scale),))


def all_jobs(plan: Plan) -> Iterator[Job]:
    """The jobs of a scale that make results, in the order in which they run."""
    scale = plan.scale.name
    for dataset in plan.datasets:
        yield download(dataset)
        yield prepare(dataset)
    # those that start from another run's weights come after it
    ordered = sorted(plan.runs.values(), key=lambda run: run.settings.base is not None)
    trainings = [(run.id, seed) for run in ordered for seed in run.seeds]
    yield from (train(scale, *training) for training in trainings)
    yield from (evaluate(scale, *training) for training in trainings)
    yield from displays(plan)


def displays(plan: Plan) -> Iterator[Job]:
    """The jobs that write a table or draw a figure."""
    scale = plan.scale.name
    for name in (*plan.tables, *plan.listings):
        yield tabulate(scale, name)
    for name in plan.figures:
        yield draw(scale, name)


def scores(plan: Plan, run: str) -> list[Job]:
    """The evaluations of ``<dataset>/<run>``, or of ``<dataset>/<run>/seed<N>``; else none."""
    every = (job for job in all_jobs(plan) if job.rule == "evaluate")
    return [job for job in every if run in (job.wildcards["run"], job.target)]


def asked_for(plan: Plan, targets: Iterable[str]) -> list[Job]:
    """The jobs that targets of the workflow stand for.

    That is all of them, the report's first, where one is no name of a job, as ``tables`` is.
    """
    try:
        asked = [job for target in targets for job in find(plan, target)]
    except UnknownTarget:
        asked = []
    return asked or [report(plan.scale.name), *all_jobs(plan)]


def find(plan: Plan, target: str) -> list[Job]:
    """The jobs that a user means by `target`.

    Args:
        plan: The scale's plan.
        target: A table or figure, a run (all its seeds), a run with its seed, a dataset, or the
            path of a file or folder that a job makes.

    Returns:
        At least one job, in the order in which they run.

    Raises:
        UnknownTarget: Nothing of that name; suggests the nearest.
    """
    every = [*all_jobs(plan), report(plan.scale.name)]
    name = target.strip().rstrip("/")
    named = [job for job in every if name in _names(job)]
    if not named:
        names = sorted({job.target for job in every} | set(plan.runs))
        raise UnknownTarget(
            f"scale {plan.scale.name!r} has no {target!r}"
            + hint(name, names, plan)
            + "\n  allowed: a run with or without its seed, a table, a figure, a dataset, "
            "report, or the path of one of their files"
        )
    return named


def log_of(job: Job) -> Path:
    """The job's log, relative to the root, where the workflow runs it."""
    names = job.wildcards
    if job.rule in ("train", "evaluate"):
        run_paths = paths.RunPaths(names["scale"], names["run"], int(names["seed"]))
        return run_paths.log if job.rule == "train" else run_paths.evaluation_log
    if job.rule in ("download", "prepare"):
        return paths.data_log(job.rule, names["dataset"])
    if job.rule == "report":
        return paths.LOGS / names["scale"] / "report.log"
    return paths.LOGS / names["scale"] / job.rule / f"{names['name']}.log"


def _names(job: Job) -> set[str]:
    """Everything that may stand for `job`; a folder stands for all jobs that write into it."""
    names = {job.target, job.name, str(job.receipt), *map(str, job.outputs)}
    if job.rule in ("train", "evaluate"):
        own = paths.RunPaths(
            job.wildcards["scale"], job.wildcards["run"], int(job.wildcards["seed"])
        )
        for folder in (own.folder, own.artifacts):
            names |= {str(folder), str(folder.parent)}
        names.add(job.wildcards["run"])
    elif job.rule in ("download", "prepare"):
        names.add(str(job.receipt.parent))
    return names
