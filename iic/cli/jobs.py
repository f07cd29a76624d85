"""The verbs that the workflow's rules call, one a rule. Each can be run by hand as well.

`tabulate` and `report` stand in modules of their own.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Annotated

import typer

from iic.cli.finding import finding, finding_of_training
from iic.cli.job import job
from iic.cli.logs import logged_to
from iic.cli.training_lock import alone
from iic.engine.threads import library_threads
from iic.params.datasets import UNVERIFIED, find_dataset
from iic.params.errors import IICError
from iic.params.runs import Plan, Run, load_plan
from iic.provenance import fingerprint as fingerprints
from iic.provenance import graph
from iic.provenance import jobs as planned
from iic.records import paths
from iic.records.checksums import guarded
from iic.records.files import sha256_file, sha256_json
from iic.records.paths import RunPaths

log = logging.getLogger(__name__)

ScaleOption = Annotated[str, typer.Option(help="One of the files in params/scales/.")]
DatasetOption = Annotated[str, typer.Option(help="Name in params/datasets.yaml.")]
FingerprintOption = Annotated[
    str | None, typer.Option(help="What the workflow was planned with; left out by hand.")
]
LogOption = Annotated[Path | None, typer.Option("--log", help="File to log to as well.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    for verb in (download, prepare, train, evaluate, draw):
        app.command()(verb)


def download(
    dataset: DatasetOption,
    mirror: Annotated[
        str | None, typer.Option(help="Folder or URL that is asked first; also IIC_MIRROR.")
    ] = None,
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Obtain a dataset's raw files and check them by size and hash."""
    from iic.data.download import download as obtain

    with logged_to(log_file):
        entry = find_dataset(dataset)
        planned_job = planned.download(dataset)
        with job(
            planned_job.rule,
            planned_job.wildcards,
            fingerprint=fingerprints.download(dataset),
            planned_fingerprint=fingerprint,
            receipt_path=planned_job.receipt,
            stand_in=entry.stand_in,
        ) as work:
            manifest = obtain(entry, dataset, mirror=mirror)
            work.output(paths.raw_manifest(dataset), *(Path(file.path) for file in manifest.files))
            count = len(manifest.files)
            log.info("%s: %d of %d raw files as the catalogue says", dataset, count, count)


def prepare(
    dataset: DatasetOption,
    workers: Annotated[
        int, typer.Option(min=1, help="Threads, for a dataset with a class for every pixel.")
    ] = 1,
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Turn raw files into arrays."""
    with logged_to(log_file):
        entry = find_dataset(dataset)
        planned_job = planned.prepare(dataset)
        current = fingerprints.prepare(dataset)
        raw = [paths.raw_folder(dataset) / file.name for file in entry.raw_files]
        with job(
            planned_job.rule,
            planned_job.wildcards,
            fingerprint=current,
            planned_fingerprint=fingerprint,
            receipt_path=planned_job.receipt,
            inputs=[*graph.preparation_inputs(dataset), *raw],
            parents=[planned.download(dataset).receipt],
            stand_in=entry.stand_in,
        ) as work:
            if entry.maps is None:
                from iic.data.prepare import prepare as convert

                convert(dataset, entry)
            else:
                from iic.data.prepare_maps import prepare_maps
                from iic.data.progress import PreparationProgress

                with PreparationProgress(dataset) as shown:
                    prepare_maps(
                        dataset, entry, workers=workers, progress=shown, fingerprint=current.value
                    )
            work.output(*_prepared_files(dataset))
            log.info("%s: %d images prepared", dataset, entry.count)


def train(
    run: Annotated[str, typer.Option(help="<dataset>/<method>[-<variant>], e.g. digits/iic.")],
    scale: ScaleOption = "mini",
    seed: Annotated[int, typer.Option(min=0, help="One of the run's seeds at this scale.")] = 0,
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Train one run with one seed, or go on from its checkpoint."""
    with logged_to(log_file):
        plan = load_plan(scale)
        chosen = plan.run(run)
        plan.check(f"{run} with seed", str(seed), map(str, chosen.seeds))
        entry = plan.datasets[chosen.dataset]
        run_paths = RunPaths(scale, run, seed)
        planned_job = planned.train(scale, run, seed)
        current = fingerprints.train(scale, run)
        with alone(run_paths), library_threads(chosen.settings.threads):
            inputs = inputs_of(plan, planned_job)
            with job(
                planned_job.rule,
                planned_job.wildcards,
                fingerprint=current,
                planned_fingerprint=fingerprint,
                receipt_path=planned_job.receipt,
                inputs=inputs,
                parents=parents_of(plan, planned_job),
                threads=chosen.settings.threads,
                seed=seed,
                stand_in=entry.stand_in,
            ) as work:
                from iic.cli.training import train_images, train_maps

                identity = current.value
                if (base := plan.base_of(chosen)) is not None:
                    start = RunPaths(scale, base.id, seed)
                    # the same settings may have given other weights, where a GPU made them anew
                    identity = sha256_json([identity, sha256_file(start.weights)])
                if any(file.checksum == UNVERIFIED for file in entry.raw_files):
                    # the catalogue does not tell one archive from another, so the arrays have to
                    identity = sha256_json([identity, *map(sha256_file, inputs)])
                # jobs of a workflow share the terminal, so each writes lines, as its log has
                live = None if log_file is None else False
                train_on = train_images if entry.maps is None else train_maps
                with guarded(run_paths.scratch):
                    train_on(chosen, entry, seed, run_paths, identity, work, live)
            # only now that the receipt lies there is the checkpoint of no more use
            shutil.rmtree(run_paths.scratch, ignore_errors=True)
        log.info("%s: %s", planned_job.target, finding_of_training(run_paths))


def evaluate(
    run: Annotated[
        str | None, typer.Option(help="<dataset>/<method>[-<variant>], e.g. digits/iic.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="One of the run's seeds; all if left out.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="In place of --run: every run on this dataset.")
    ] = None,
    scale: ScaleOption = "mini",
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Score a run from its assignments."""
    with logged_to(log_file):
        plan = load_plan(scale)
        if (run is None) == (dataset is None) or (seed is not None and run is None):
            raise IICError("evaluate: give --run, with or without --seed, or else --dataset")
        if dataset is not None:
            plan.check("dataset", dataset, plan.datasets)
            chosen = [candidate for candidate in plan.runs.values() if candidate.dataset == dataset]
        else:
            chosen = [plan.run(run or "")]
        if seed is not None:
            plan.check(f"{run} with seed", str(seed), map(str, chosen[0].seeds))
        for scored in chosen:
            for number in scored.seeds if seed is None else (seed,):
                evaluate_one(plan, scored, number, fingerprint)


def evaluate_one(plan: Plan, run: Run, seed: int, planned_fingerprint: str | None = None) -> None:
    """Score one training, as a job of its own.

    Raises:
        IICError: It has no result, or its files are not what the training wrote.
    """
    from iic.evaluate.run import evaluate_run
    from iic.records.files import write_record

    scale = plan.scale.name
    run_paths = RunPaths(scale, run.id, seed)
    planned_job = planned.evaluate(scale, run.id, seed)
    with job(
        planned_job.rule,
        planned_job.wildcards,
        fingerprint=fingerprints.evaluate(scale, run.id),
        planned_fingerprint=planned_fingerprint,
        receipt_path=planned_job.receipt,
        inputs=inputs_of(plan, planned_job),
        parents=parents_of(plan, planned_job),
        seed=seed,
        stand_in=plan.datasets[run.dataset].stand_in,
    ) as work:
        evaluation = evaluate_run(run_paths, run.settings.evaluation, plan.datasets[run.dataset])
        write_record(run_paths.evaluation, evaluation)
        work.output(run_paths.evaluation)
        log.info("%s scored: %s", planned_job.target, finding(evaluation))


def draw(
    name: Annotated[str, typer.Option(help="Name of the figure, e.g. figure_3.")],
    scale: ScaleOption = "mini",
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Draw one figure as svg and png."""
    with logged_to(log_file):
        plan = load_plan(scale)
        plan.check("figure", name, plan.figures)
        planned_job = planned.draw(scale, name)
        with job(
            planned_job.rule,
            planned_job.wildcards,
            fingerprint=fingerprints.draw(scale, name),
            planned_fingerprint=fingerprint,
            receipt_path=planned_job.receipt,
            inputs=inputs_of(plan, planned_job),
            parents=parents_of(plan, planned_job),
        ) as work:
            from iic.publish.figures.saving import write

            work.output(*write(plan, name, Path()))
            log.info("%s written to %s", name, paths.figure(scale, name))


def parents_of(plan: Plan, planned_job: planned.Job) -> list[Path]:
    """Receipts of the jobs that wrote what a job reads."""
    return [parent.receipt for parent in graph.parents(plan, planned_job)]


def inputs_of(plan: Plan, planned_job: planned.Job) -> list[Path]:
    """What a job reads; data are looked at first."""
    inputs = graph.inputs(plan, planned_job)
    for parent in graph.parents(plan, planned_job):
        if parent.rule == "prepare" and parent.outputs[1] in inputs:
            _prepared_files(parent.wildcards["dataset"])
    return inputs


def _prepared_files(dataset: str) -> list[Path]:
    """The manifest of a prepared dataset and its arrays."""
    from iic.data.load import load
    from iic.data.load_maps import load_maps

    maps = find_dataset(dataset).maps is not None
    manifest = load_maps(dataset).manifest if maps else load(dataset).manifest
    arrays = [array.path for array in (manifest.images, manifest.labels) if array is not None]
    return [paths.prepared_manifest(dataset), *map(Path, arrays)]
