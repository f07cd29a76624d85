"""The body of ``iic train``: call the method, then write what it found."""

from __future__ import annotations

import importlib
from typing import Any

from iic.cli.job import Work
from iic.data.load import load
from iic.data.load_maps import load_maps
from iic.engine.context import Checkpoint, Clusters, Outcome, RunContext
from iic.engine.map_context import MapContext
from iic.params.datasets import Dataset
from iic.params.runs import Run
from iic.records.assignments import write_assignments
from iic.records.counts import write_counts
from iic.records.files import atomic_file, write_text
from iic.records.history import dump_history
from iic.records.maps import write_maps
from iic.records.outcome import CheckpointOutcome, TrainOutcome
from iic.records.paths import RunPaths
from iic.records.snapshots import write_probabilities, write_snapshots


def train_images(
    run: Run,
    dataset: Dataset,
    seed: int,
    paths: RunPaths,
    fingerprint: str,
    work: Work,
    live: bool | None,
) -> None:
    """Train a run on images, write its files and name them to the job's wrapper."""
    context = RunContext(
        data=load(run.dataset),
        classes=len(dataset.classes),
        settings=run.settings,
        seed=seed,
        paths=paths,
        fingerprint=fingerprint,
        live=live,
    )
    outcome = _train(run, context)
    protocol = context.protocol
    write_assignments(paths.assignments, _clusters(outcome), protocol.labels, protocol.images)
    _write_history(paths, outcome, work)
    if outcome.probabilities is not None:
        write_probabilities(paths.probabilities, outcome.probabilities, protocol.images)
        work.output(paths.probabilities)
    if outcome.snapshots:
        write_snapshots(paths.snapshots, outcome.snapshots, protocol.images)
        work.output(paths.snapshots)
    _tell(outcome, len(dataset.classes), work)


def train_maps(
    run: Run,
    dataset: Dataset,
    seed: int,
    paths: RunPaths,
    fingerprint: str,
    work: Work,
    live: bool | None,
) -> None:
    """Train a run on images with a class for every pixel, as `train_images` does."""
    context: MapContext[Any] = MapContext(
        data=load_maps(run.dataset),
        classes=len(dataset.classes),
        settings=run.settings,
        seed=seed,
        paths=paths,
        fingerprint=fingerprint,
        live=live,
    )
    outcome = _train(run, context)
    write_counts(paths.assignments, _clusters(outcome), context.protocol.images)
    _write_history(paths, outcome, work)
    if outcome.probabilities is not None:
        shown = context.examples(context.settings.maps.examples)
        write_maps(paths.probabilities, outcome.probabilities, shown)
        work.output(paths.probabilities)
    _tell(outcome, len(dataset.classes), work)


def _train(run: Run, context: RunContext[Any]) -> Outcome:
    outcome: Outcome = importlib.import_module(run.method).train(context)
    return outcome


def _checkpoints(outcome: Outcome) -> dict[str, Checkpoint]:
    checkpoints = {"last": outcome.last}
    if outcome.best_label is not None:
        checkpoints["best_label"] = outcome.best_label
    return checkpoints


def _clusters(outcome: Outcome) -> dict[str, Clusters]:
    return {name: checkpoint.clusters for name, checkpoint in _checkpoints(outcome).items()}


def _write_history(paths: RunPaths, outcome: Outcome, work: Work) -> None:
    """The history, and the weights where there are any."""
    write_text(paths.history, dump_history(outcome.history))
    work.output(paths.history, paths.assignments)
    paths.artifacts.mkdir(parents=True, exist_ok=True)
    if outcome.tensors is not None:
        from safetensors.numpy import save

        with atomic_file(paths.weights) as file:
            file.write(save(outcome.tensors))
        work.output(paths.weights)


def _tell(outcome: Outcome, classes: int, work: Work) -> None:
    """What the receipt says of the training."""
    work.precision = outcome.precision
    work.deterministic = outcome.deterministic
    work.sessions = outcome.sessions
    work.trajectory = outcome.trajectory
    work.outcome = TrainOutcome(
        k_clusters=outcome.k,
        k_classes=classes,
        steps=outcome.steps,
        checkpoints={
            name: CheckpointOutcome(epoch=checkpoint.epoch, losses=checkpoint.losses)
            for name, checkpoint in _checkpoints(outcome).items()
        },
    ).model_dump(mode="json")
