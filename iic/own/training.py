"""One seed: a training by `iic.engine.run`, from images in memory or mapped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from iic.data.in_memory import in_memory
from iic.data.load import PreparedData
from iic.engine.context import Outcome, RunContext
from iic.engine.device import configured, leased_device
from iic.engine.loop import descend
from iic.engine.seeding import generator
from iic.engine.task import Task
from iic.methods.iic.settings import TOGETHER
from iic.params.base import Model
from iic.records.checksums import guarded
from iic.records.files import atomic_file, read_record, write_record
from iic.records.paths import RunPaths
from iic.records.receipt import Session

PROBED_STEPS = 3
Build: TypeAlias = Callable[[RunContext[Any], torch.device], Task[Any]]
Train: TypeAlias = Callable[[RunContext[Any]], Outcome]
Clock: TypeAlias = Callable[[], float]
"""Seconds since some moment: of the wall, or of the processor where others use it too."""


class SeedRecord(Model):
    """What a finished training found, beside its tensors."""

    seed: int
    losses: tuple[float, ...]
    """Of each sub-head of the main head, over all images."""
    steps: int
    seconds: float
    history: list[dict[str, Any]]
    sessions: list[Session]


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Args:
        record: Losses and history.
        tensors: Weights by name.
        clusters: Of every image by sub-head, with the batch statistics of the training, (n, h).
    """

    record: SeedRecord
    tensors: dict[str, NDArray[Any]]
    clusters: NDArray[np.int64]

    @property
    def sub_head(self) -> int:
        """The one of lowest loss."""
        return int(np.argmin(self.record.losses))


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add what the block takes by the clock of the wall to `seconds`, under `name`."""
    begin = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - begin, 2)


def prepared(points: NDArray[Any]) -> PreparedData:
    """Images (n, C, S, S), or features (n, d), as a training takes them, without labels."""
    # the engine counts rows; features themselves come to the task by other ways
    return in_memory(points if points.ndim == 4 else points[:, None, None, :])


def context_of(
    data: PreparedData,
    settings: Any,
    seed: int,
    folder: Path,
    fingerprint: str,
    live: bool | None,
) -> RunContext[Any]:
    """The run of one seed, its checkpoints below `folder`."""
    paths = RunPaths("own", "images/iic", seed)
    return RunContext(data, 0, settings, seed, paths, fingerprint, folder, live)


def step_seconds(
    context: RunContext[Any], build: Build, clock: Clock, head: str = TOGETHER
) -> float:
    """Seconds of one training step of a head, measured on the run's own images and layers."""
    settings = context.settings
    with (
        torch.random.fork_rng(devices=[]),
        leased_device(settings.gpu) as device,
        configured(device, settings.threads, settings.compute),
    ):
        task = build(context, device)
        task.network.train()
        optimiser = task.optimiser()
        batches = task.order(0, 0)
        times = []
        for step in range(PROBED_STEPS + 1):
            begin = clock()
            draw = generator(device, context.seed, "probe", step)
            float(descend(task, optimiser, head, batches[step % len(batches)], draw))
            times.append(clock() - begin)
    return float(np.median(times[1:]))  # the first one has to prepare the layers


def trained(context: RunContext[Any], folder: Path, train: Train) -> Trained:
    """Train, or go on, or read what an earlier call has finished.

    Args:
        context: The run.
        train: Trains it.
        folder: Where the finished training is kept.
    """
    from safetensors.numpy import load, save

    stem = f"seed{context.seed}"
    record_file, tensor_file = folder / f"{stem}.json", folder / f"{stem}.safetensors"
    if record_file.exists():
        tensors = load(tensor_file.read_bytes())
        clusters = tensors.pop("clusters")
        return Trained(read_record(record_file, SeedRecord), tensors, clusters)
    with torch.random.fork_rng(devices=[]), guarded(context.root / context.paths.scratch):
        outcome = train(context)
    assert outcome.tensors is not None and outcome.last.losses is not None
    tensors = {name.removeprefix("last."): array for name, array in outcome.tensors.items()}
    clusters = outcome.last.clusters.astype(np.int64)
    with atomic_file(tensor_file) as file:
        file.write(save({**tensors, "clusters": clusters}))
    record = _record(context, outcome)
    write_record(record_file, record)
    return Trained(record, tensors, clusters)


def _record(context: RunContext[Any], outcome: Outcome) -> SeedRecord:
    history = json.loads(json.dumps(outcome.history))
    return SeedRecord(
        seed=context.seed,
        losses=outcome.last.losses or (),
        steps=outcome.steps,
        seconds=sum(float(entry["seconds"]) for entry in history),
        history=history,
        sessions=outcome.sessions,
    )
