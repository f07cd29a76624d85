"""What is trained: the base class of every task. A method writes what differs from the defaults."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from iic.engine.context import RunContext
from iic.engine.device import autocast, compiled
from iic.engine.optimisers import build_optimiser
from iic.engine.seeding import derive, generator
from iic.params.training import ScheduleSettings

CPU = torch.device("cpu")
N = TypeVar("N", bound=nn.Module)


class Predictions(NamedTuple):
    """What the reported head says of the evaluated images."""

    clusters: npt.NDArray[np.integer]
    """Clusters (n, h); in segmentation the pixels of each cluster and class, (n, h, k, classes)."""
    probabilities: npt.NDArray[np.float16] | None
    """Probabilities (n, h, k) where asked for; in segmentation maps (m, h, k, H, W) of the images
    that figures show."""


class Task(ABC, Generic[N]):
    """A network with its objective and its data; `iic.engine.run.run` does the rest.

    Every task writes `build`, `loss` and `predict`, or what `ImageTask`, `FeatureTask`, `MapTask`
    or `PixelFeatureTask` ask for in their place. All else has a default. Defaults read `splits`,
    `batch_images`, `k`, `optimiser`, `schedule` and `compute` of the settings.

    Args:
        context: The run; its protocol says which images are evaluated.
        device: Where to run.

    Attributes:
        settings: The method's own.
        layout: Memory format of images and weights.
        evaluation_batch: Images in a batch of evaluation; matters where BatchNorm has no running
            statistics.
    """

    PASS = "training"
    """What the history calls a pass over the training images."""
    context: RunContext[Any]
    settings: Any

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        self.context = context
        self.settings = context.settings
        self.seed = context.seed
        self.device = device
        self.compute = context.settings.compute
        self.schedule: ScheduleSettings = context.settings.schedule
        self.evaluation_batch = self.schedule.evaluation_batch
        channels_last = self.compute.channels_last
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self._parts: dict[nn.Module, Callable[..., Any]] = {}

    @abstractmethod
    def build(self) -> N:
        """The network, freshly initialised from torch's global generator, which is seeded."""

    @abstractmethod
    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch, (h,).

        Args:
            head: The pass, as `passes_of` calls it; for IIC the head that is trained.
            indices: A batch of `order`.
            draw: Source of random numbers on the device, seeded for this step.
        """

    @abstractmethod
    def predict(self, probabilities: bool = False) -> Predictions:
        """Predictions for the evaluated images, in the dataset's order.

        Args:
            probabilities: Whether to return them, where there are any. Asked for at the end of the
                training and for snapshots.
        """

    @abstractmethod
    def refresh_statistics(self) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""

    @cached_property
    def network(self) -> N:
        """What is trained, on the device; built when it is first asked for."""
        torch.manual_seed(derive(self.seed, "network"))
        return self.build().to(self.device).to(memory_format=self.layout)

    @cached_property
    def training(self) -> Tensor:
        """Images that are trained on, int64 on the host, (n,)."""
        return torch.from_numpy(self.context.data.indices(self.settings.splits))

    @cached_property
    def evaluated(self) -> Tensor:
        """Images that are evaluated, int64 on the host, in the dataset's order, (m,)."""
        return torch.from_numpy(self.context.protocol.images)

    @property
    def k(self) -> int:
        """Clusters of the reported head."""
        return int(self.settings.k)

    @property
    def batch_images(self) -> int:
        """Images in a batch of the training."""
        return int(self.settings.batch_images)

    @property
    def epochs(self) -> int:
        """Epochs in all, if nothing ends them earlier."""
        return self.schedule.epochs

    @property
    def chance(self) -> float | None:
        """Loss of who answers without looking; None where the objective asks no questions."""
        return None

    def optimiser(self) -> torch.optim.Optimizer:
        """The optimiser that the settings ask for, on `parameter_groups`."""
        return build_optimiser(self.parameter_groups(), self.settings.optimiser)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser, here all; a group may have a learning rate of its own."""
        return [{"params": list(self.network.parameters())}]

    def passes_of(self, epoch: int) -> Sequence[str]:
        """Passes of an epoch, counted from 0, in order: here one, the same in every epoch."""
        return (self.PASS,)

    def training_images(self, head: str) -> Tensor:
        """Images of a pass before they are shuffled, int64 on the host: here all."""
        return self.training

    def steps(self, head: str) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self.training_images(head)) / self.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, on the host: here shuffled anew for each pass.

        Args:
            epoch: Counted from 0.
            position: Of the pass in its epoch, counted from 0.
        """
        images = self.training_images(self.passes_of(epoch)[position])
        shuffled = self.shuffled(images, "order", epoch, position)
        return list(torch.split(shuffled, self.batch_images))

    def shuffled(self, images: Tensor, purpose: str, *position: int) -> Tensor:
        """The images in an order that only the run's seed, the purpose and the place decide."""
        draw = generator(CPU, self.seed, purpose, *position)
        return images[torch.randperm(len(images), generator=draw)]

    def examples(self, indices: Tensor) -> int:
        """How many pairs (or images, where there are no pairs) a batch counts for."""
        return len(indices)

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """What comes before the first step of an epoch, counted from 0: here nothing.

        It may change the optimiser, and must leave whatever the epoch's steps need in the network,
        or let it follow from the weights alone: a run resumed in the middle of an epoch does not
        come here, one stopped between two epochs comes here once more.
        """

    def end_epoch(self, epoch: int) -> bool:
        """What comes after the last step of an epoch, before its evaluation: here nothing.

        Returns:
            Whether the training ends with this epoch.
        """
        return False

    def look(self) -> None:
        """What a task has to say of steps that are done: here nothing.

        It may wait for the device, which `loss` must not. It is asked every few steps, and at the
        end of each pass.
        """

    def selection_losses(self) -> tuple[float, ...] | None:
        """Objective of each sub-head of the reported head; None where there is none to compare."""
        return None

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Which of the network's tensors a finished run stores: here all."""
        return tensors

    def forward(self, part: nn.Module, inputs: Tensor, *arguments: Any) -> Any:
        """``part(inputs, *arguments)`` in the precision, layout and compilation of the settings.

        Args:
            part: The network or a part of it.
            inputs: Images (N, C, H, W), or anything of fewer dimensions.
            *arguments: What the part takes besides.
        """
        if part not in self._parts:
            self._parts[part] = compiled(part) if self.compute.compile else part
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=self.layout)
        with autocast(self.device, self.compute):
            return self._parts[part](inputs, *arguments)
