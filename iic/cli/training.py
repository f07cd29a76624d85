"""The body of ``iic train``: call the method, then write what it found."""

from __future__ import annotations

import importlib
from pathlib import Path

from iic.cli.job import Work
from iic.data.load import load
from iic.data.load_maps import load_maps
from iic.engine.context import Outcome, RunContext
from iic.engine.map_context import MapContext
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings
from iic.params.runs import Run
from iic.records.assignments import write_assignments
from iic.records.counts import write_counts
from iic.records.files import atomic_file, write_text
from iic.records.history import dump_history
from iic.records.maps import write_maps
from iic.records.outcome import CheckpointOutcome, TrainOutcome
from iic.records.paths import RunPaths
from iic.records.snapshots import write_probabilities, write_snapshots


def train_and_write(
    run: Run, dataset: Dataset, place: RunPaths, fingerprint: str, work: Work, live: bool | None
) -> None:
    """Train a run, write its files and name them to the job's wrapper."""
    context = _context(run, dataset, place, fingerprint, live)
    outcome: Outcome = importlib.import_module(run.method).train(context)
    checkpoints = {"last": outcome.last}
    if outcome.best_label is not None:
        checkpoints["best_label"] = outcome.best_label
    write_text(place.history, dump_history(outcome.history))
    clusters = {name: checkpoint.clusters for name, checkpoint in checkpoints.items()}
    protocol = context.protocol
    if dataset.maps is None:
        write_assignments(place.assignments, clusters, protocol.labels, protocol.images)
    else:
        write_counts(place.assignments, clusters, protocol.images)
    work.output(place.history, place.assignments)
    place.artifacts.mkdir(parents=True, exist_ok=True)
    work.output(*_artifacts(context, outcome))
    work.precision = outcome.precision
    work.deterministic = outcome.deterministic
    work.sessions = outcome.sessions
    work.outcome = TrainOutcome(
        k_clusters=outcome.k,
        k_classes=len(dataset.classes),
        steps=outcome.steps,
        checkpoints={
            name: CheckpointOutcome(epoch=checkpoint.epoch, losses=checkpoint.losses)
            for name, checkpoint in checkpoints.items()
        },
    ).model_dump(mode="json")


def _context(
    run: Run, dataset: Dataset, place: RunPaths, fingerprint: str, live: bool | None
) -> RunContext[MethodSettings]:
    kind, data = (RunContext, load) if dataset.maps is None else (MapContext, load_maps)
    return kind(
        data=data(run.dataset),  # type: ignore[arg-type]
        classes=len(dataset.classes),
        settings=run.settings,
        seed=place.seed,
        paths=place,
        fingerprint=fingerprint,
        live=live,
    )


def _artifacts(context: RunContext[MethodSettings], outcome: Outcome) -> list[Path]:
    from safetensors.numpy import save

    place, images = context.paths, context.protocol.images
    written = []
    if outcome.tensors is not None:
        with atomic_file(place.weights) as file:
            file.write(save(outcome.tensors))
        written.append(place.weights)
    if outcome.probabilities is not None:
        if isinstance(context, MapContext):
            shown = context.examples(context.settings.maps.examples)
            write_maps(place.probabilities, outcome.probabilities, shown)
        else:
            write_probabilities(place.probabilities, outcome.probabilities, images)
        written.append(place.probabilities)
    if outcome.snapshots:
        write_snapshots(place.snapshots, outcome.snapshots, images)
        written.append(place.snapshots)
    return written
