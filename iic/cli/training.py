"""The body of ``iic train``: call the method, then write what it found."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iic.cli.job import Work
from iic.data.load import load
from iic.engine.context import Outcome, RunContext
from iic.params.datasets import Dataset
from iic.params.runs import Run
from iic.records.assignments import write_assignments
from iic.records.files import atomic_file, write_text
from iic.records.history import dump_history
from iic.records.outcome import CheckpointOutcome, TrainOutcome
from iic.records.paths import RunPaths
from iic.records.snapshots import write_probabilities, write_snapshots


def train_and_write(
    run: Run, dataset: Dataset, place: RunPaths, fingerprint: str, work: Work, live: bool | None
) -> None:
    """Train a run, write its files and name them to the job's wrapper."""
    data = load(run.dataset)
    context = RunContext(
        data=data,
        classes=len(dataset.classes),
        settings=run.settings,
        seed=place.seed,
        paths=place,
        fingerprint=fingerprint,
        live=live,
    )
    outcome: Outcome = importlib.import_module(run.method).train(context)
    checkpoints = {"last": outcome.last}
    if outcome.best_label is not None:
        checkpoints["best_label"] = outcome.best_label
    write_text(place.history, dump_history(outcome.history))
    write_assignments(
        place.assignments,
        {name: checkpoint.clusters for name, checkpoint in checkpoints.items()},
        context.protocol.labels,
        context.protocol.images,
    )
    work.output(place.history, place.assignments)
    place.artifacts.mkdir(parents=True, exist_ok=True)
    work.output(*_artifacts(place, outcome, context.protocol.images))
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


def _artifacts(place: RunPaths, outcome: Outcome, images: npt.NDArray[np.int64]) -> list[Path]:
    from safetensors.numpy import save

    written = []
    if outcome.tensors is not None:
        with atomic_file(place.weights) as file:
            file.write(save(outcome.tensors))
        written.append(place.weights)
    if outcome.probabilities is not None:
        write_probabilities(place.probabilities, outcome.probabilities, images)
        written.append(place.probabilities)
    if outcome.snapshots:
        write_snapshots(place.snapshots, outcome.snapshots, images)
        written.append(place.snapshots)
    return written
