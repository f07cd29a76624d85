"""The graph of jobs, stated once: what each kind of job reads, and of which other jobs.

The rules list their inputs from it (workflow/rules/common.smk), the wrapper of every job hashes
what it names (iic/cli), `iic restore` and the audit follow it, and the report page is handed it.
Names alone decide: nothing here looks at a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.experiments import Reads
from iic.params.runs import Plan
from iic.provenance import jobs
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.paths import RunPaths

COMPARED = (".json", ".csv")
"""How the names of small files end; others are large, and their time says nothing."""


@dataclass(frozen=True)
class Edge:
    """What one job reads of another."""

    parent: Job
    files: tuple[Path, ...]
    """Of the parent's outputs."""


def edges(plan: Plan, job: Job) -> list[Edge]:
    """What `job` reads, by the job that wrote it."""
    names = job.wildcards
    if job.rule == "download":
        return []
    if job.rule == "prepare":
        return _preparation(names["dataset"])
    if job.rule == "train":
        return _training(plan, names["run"], int(names["seed"]))
    if job.rule == "evaluate":
        run_paths = RunPaths(names["scale"], names["run"], int(names["seed"]))
        return [
            Edge(
                jobs.train(run_paths.scale, run_paths.run, run_paths.seed), (run_paths.assignments,)
            )
        ]
    of_scale = {"tabulate": _table, "draw": _figure}
    return of_scale[job.rule](plan, names["name"]) if job.rule in of_scale else _page(plan)


def parents(plan: Plan, job: Job) -> list[Job]:
    """The jobs that wrote what `job` reads, whose receipts its own names."""
    return [edge.parent for edge in edges(plan, job)]


def lineage(plan: Plan, targets: Iterable[Job]) -> list[Job]:
    """Some jobs, and all that have to be done before them, each once."""
    jobs_by_receipt: dict[Path, Job] = {}
    waiting = list(targets)
    while waiting:
        job = waiting.pop()
        if job.receipt not in jobs_by_receipt:
            jobs_by_receipt[job.receipt] = job
            waiting += parents(plan, job)
    return list(jobs_by_receipt.values())


def inputs(plan: Plan, job: Job) -> list[Path]:
    """The files that `job` reads; of a dataset's raw files the manifest alone, which lists them."""
    files = [path for edge in edges(plan, job) for path in edge.files]
    return [*files, paths.audit_report(plan.scale.name)] if job.rule == "report" else files


def preparation_inputs(dataset: str) -> list[Path]:
    """What the preparation of a dataset reads, which is the same at every scale."""
    return [path for edge in _preparation(dataset) for path in edge.files]


def audited(plan: Plan) -> list[Path]:
    """What the audit waits for. It judges every file, but those above are above these."""
    tables = [job.outputs[0] for job in jobs.displays(plan) if job.rule == "tabulate"]
    return [*tables, *(job.receipt for job in jobs.displays(plan))]


def stands_for(job: Job) -> Path:
    """The file by which a rule knows that `job` was done anew.

    That is its receipt. Data are not in git: a clone that obtains them again has other receipts for
    the same bytes, and trains nothing anew. So the manifest stands for them, with its checksums.
    """
    return job.outputs[0] if job.rule in ("download", "prepare") else job.receipt


def small_inputs(plan: Plan, job: Job) -> list[Path]:
    """Inputs of the job's rule that are small: receipts, manifests, scores."""
    if job.rule == "audit":
        return audited(plan)
    small = (path for path in inputs(plan, job) if path.suffix in COMPARED)
    return list(dict.fromkeys([*map(stands_for, parents(plan, job)), *small]))


def large_inputs(plan: Plan, job: Job) -> list[Path]:
    """All other inputs of that rule: large files, for which the receipt of their job speaks."""
    large = (path for path in inputs(plan, job) if path.suffix not in COMPARED)
    return list(dict.fromkeys(map(as_made, large)))


def as_made(path: Path) -> Path:
    """A file as a rule's output has it: artifacts are one folder a training."""
    return path.parent if path.parts[2:3] == ("artifacts",) else path


def _preparation(dataset: str) -> list[Edge]:
    raw = jobs.download(dataset)
    return [Edge(raw, raw.outputs)]


def _training(plan: Plan, run: str, seed: int) -> list[Edge]:
    chosen = plan.run(run)
    base = plan.base_of(chosen)
    above = [_arrays(plan, chosen.dataset)]
    if base is not None:
        start = RunPaths(plan.scale.name, base.id, seed)
        above.append(Edge(jobs.train(start.scale, start.run, seed), (start.weights,)))
    return above


def _table(plan: Plan, name: str) -> list[Edge]:
    places = [
        RunPaths(plan.scale.name, run.id, seed)
        for run in plan.table_runs(name)
        for seed in run.seeds
    ]
    counted = [jobs.prepare(dataset) for dataset in plan.table_datasets(name)]
    return [*map(_scores, places), *(Edge(data, data.outputs[:1]) for data in counted)]


def _figure(plan: Plan, name: str) -> list[Edge]:
    reads = plan.figures[name].reads
    places = [RunPaths(plan.scale.name, run.id, seed) for run, seed in plan.figure_places(name)]
    above = [*map(_scores, places)]
    for run_paths in places:
        if files := tuple(_drawn(run_paths, reads)):
            above.append(Edge(jobs.train(run_paths.scale, run_paths.run, run_paths.seed), files))
    if "data" in reads:
        for dataset in dict.fromkeys(drawn.run.split("/")[0] for drawn in places):
            above.append(_arrays(plan, dataset))
    return above


def _drawn(run_paths: RunPaths, reads: Iterable[Reads]) -> Iterator[Path]:
    """Files of a training that a figure reads."""
    files: dict[Reads, Path] = {
        "history": run_paths.history,
        "assignments": run_paths.assignments,
        "probabilities": run_paths.probabilities,
        "snapshots": run_paths.snapshots,
    }
    return (files[kind] for kind in reads if kind in files)


def _page(plan: Plan) -> list[Edge]:
    above = []
    for run in plan.runs.values():
        for seed in run.seeds:
            run_paths = RunPaths(plan.scale.name, run.id, seed)
            above += [
                Edge(jobs.train(run_paths.scale, run.id, seed), (run_paths.history,)),
                _scores(run_paths),
            ]
    for display in jobs.displays(plan):
        shown = tuple(path for path in display.outputs if path.suffix != ".tex")
        above.append(Edge(display, shown))
    return above


def _arrays(plan: Plan, dataset: str) -> Edge:
    data = jobs.prepare(dataset)
    manifest, images, labels = data.outputs
    labelled = plan.datasets[dataset].labelled
    return Edge(data, (manifest, images, labels) if labelled else (manifest, images))


def _scores(run_paths: RunPaths) -> Edge:
    return Edge(
        jobs.evaluate(run_paths.scale, run_paths.run, run_paths.seed), (run_paths.evaluation,)
    )
