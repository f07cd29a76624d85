"""What the training loop needs to know about what it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from iic.engine.context import RunContext
from iic.params.training import ComputeSettings


class HeadPass(NamedTuple):
    """One pass over the training data: the head it trains and that head's lambda."""

    head: str
    lam: float = 1.0


class Predictions(NamedTuple):
    """What the reported head says of the evaluated images."""

    clusters: npt.NDArray[np.integer]
    """Clusters (n, h); in segmentation the pixels of each cluster and class, (n, h, k, classes)."""
    probabilities: npt.NDArray[np.float16] | None
    """Probabilities (n, h, k) where asked for; in segmentation maps (m, h, k, H, W) of the images
    that figures show."""


class Task(Protocol):
    """A network with its objective and its data; `Loop` does the rest.

    Attributes:
        seed: Seed of the run.
        device: Where it runs.
        compute: Precision and memory format.
        network: What is trained.
        k: Clusters of the reported head.
    """

    seed: int
    device: torch.device
    compute: ComputeSettings
    k: int

    @property
    def context(self) -> RunContext[Any]:
        """The run."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser; a group may have a learning rate of its own."""

    def passes_of(self, epoch: int) -> Sequence[HeadPass]:
        """Passes of an epoch, counted from 0, in order."""

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, on the host."""

    def examples(self, indices: Tensor) -> int:
        """How many pairs (or images, where there are no pairs) a batch counts for."""

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch, (h,)."""

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Predictions of the reported head for the evaluated images, in the dataset's order."""

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""

    def selection_losses(self) -> tuple[float, ...] | None:
        """Objective of each sub-head of the reported head; None where there is none to compare."""
