"""What a method gets and what it gives back: the one interface of all methods (torch-free)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from iic.evaluate.protocol import Protocol, protocol
from iic.params.errors import IICError
from iic.params.method import MethodSettings
from iic.records.paths import RunPaths
from iic.records.receipt import Session

if TYPE_CHECKING:
    import torch

    from iic.data.load import PreparedData
    from iic.engine.task import Task

    Build: TypeAlias = Callable[["RunContext[Any]", torch.device], Task[Any]]
    Engine: TypeAlias = Callable[["RunContext[Any]", Build], "Outcome"]

S = TypeVar("S", bound=MethodSettings)
Clusters = npt.NDArray[np.integer]


class NonFiniteLoss(IICError):
    """The loss became NaN or infinite; the last checkpoint before it is left."""


class Interrupted(IICError):
    """The run was asked to stop (SIGTERM or SIGINT) and left a checkpoint to go on from."""


@dataclass(frozen=True)
class RunContext(Generic[S]):
    """Everything that a method's ``train`` may read, and where it may write.

    Args:
        data: Prepared images (N, C, H, W) uint8 and labels (N,) or None. Labels may be used to
            report accuracy and to note the epoch where it was best, never to train.
        classes: Number of ground-truth classes.
        settings: The method's own settings.
        seed: Seed of the run.
        paths: Where the run's files lie, relative to `root`.
        fingerprint: Fingerprint of code, settings and data; a checkpoint of another is refused.
        root: Root of the clone.
        live: Whether to draw a progress bar; None draws one where stderr is a terminal.
        engine: What trains the method's task; None for `iic.engine.run.run` itself. The audit
            puts stored weights into the task instead, or ends after its first steps.
    """

    data: PreparedData
    classes: int
    settings: S
    seed: int
    paths: RunPaths
    fingerprint: str
    root: Path = Path()
    live: bool | None = None
    engine: Engine | None = None

    @cached_property
    def protocol(self) -> Protocol:
        """Which images get assignments, and which of them are scored."""
        data = self.data
        splits = {split.name: slice(split.start, split.stop) for split in data.manifest.splits}
        return protocol(self.settings.evaluation, splits, len(data.images), data.labels)

    @property
    def name(self) -> str:
        """The run as progress lines call it."""
        return f"{self.paths.run} seed {self.seed}"


@dataclass(frozen=True)
class Checkpoint:
    """The method's assignments at one moment of training.

    Args:
        epoch: Epochs trained; 0 for a method without epochs.
        clusters: Cluster by sub-head of every image that gets one (`RunContext.protocol`), (n, h).
        losses: Objective of each sub-head over the data, (h,), lower is better; None where the
            method has no objective to pick a sub-head by.
    """

    epoch: int
    clusters: Clusters
    losses: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """What training found; the job wrapper turns it into files and a receipt.

    Args:
        last: State at the end of training.
        best_label: State at the epoch of best label accuracy, which the released code reports;
            `last` itself for a method without epochs; None without labels.
        k: Output clusters of each sub-head.
        history: One object an epoch.
        sessions: Processes in which the run was trained.
        precision: Arithmetic used.
        deterministic: Whether the same seed gives the same bytes on this kind of machine.
        tensors: Weights by name, saved as safetensors; None for a method without weights.
        probabilities: Cluster probabilities of these images at `last`, (n, h, k) float16, or None.
        snapshots: Step -> probabilities (n, h, k) float16.
        steps: Optimiser steps done.
        trajectory: Mean loss of the sub-heads at each of the first steps
            (`iic.engine.loop.TRAJECTORY_STEPS`).
    """

    last: Checkpoint
    k: int
    best_label: Checkpoint | None = None
    history: list[dict[str, object]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    precision: str = "float64"
    deterministic: bool = True
    tensors: dict[str, npt.NDArray[np.generic]] | None = None
    probabilities: npt.NDArray[np.float16] | None = None
    snapshots: dict[int, npt.NDArray[np.float16]] = field(default_factory=dict)
    steps: int = 0
    trajectory: list[float] = field(default_factory=list)
