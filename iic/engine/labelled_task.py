"""Tasks that learn the classes of images from labels."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from iic.engine.context import RunContext
from iic.engine.device import moved
from iic.engine.image_task import ImageTask
from iic.engine.labelled import class_labels, labelled_images
from iic.engine.pretrained import load_parts
from iic.engine.task import N
from iic.params.errors import IICError
from iic.records.paths import RunPaths


class LabelledTask(ImageTask[N]):
    """A task on labelled images; its clusters are the classes.

    Args:
        context: The run.
        device: Where to run.

    Raises:
        IICError: The dataset has no such fold, or a training image has no label.
    """

    PASS = "classes"

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        # refused before anything else is read
        self.labelled = len(self.training)

    @property
    def k(self) -> int:
        """Classes."""
        return self.context.classes

    @cached_property
    def training(self) -> Tensor:
        """Images of the splits, or of one predefined fold, (n,)."""
        return labelled_images(self.context, self.settings.splits, self.settings.fold)

    def load(self, network: N, *parts: str) -> N:
        """The network, these parts of it with the weights of the run that it starts from.

        The settings name that run, `start_from`, and which `checkpoint` of it; without a run the
        network stays as it is.

        Raises:
            IICError: That run's weights are of another network.
            RecordError: They are absent or damaged.
        """
        settings, paths = self.settings, self.context.paths
        if settings.start_from is None:
            return network
        dataset = paths.run.split("/")[0]
        base = RunPaths(paths.scale, f"{dataset}/{settings.start_from}", self.seed)
        load_parts(network, parts, self.context.root / base.weights, settings.checkpoint)
        return network


class ClassifierTask(LabelledTask[N]):
    """A network that gives logits. A method writes `build`, `transformed` and `inputs`.

    Args:
        context: The run.
        device: Where to run.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, or a batch would have
            one image.
    """

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        self._labels = class_labels(context, device)
        if self.labelled % self.batch_images == 1:
            raise IICError(
                f"{context.name}: batch_images: {self.batch_images} leaves a batch of one of "
                f"{self.labelled:,} images, which BatchNorm cannot normalise: take another size"
            )

    @abstractmethod
    def transformed(self, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Images (U,) as the network is trained on them, (U, C, s, s)."""

    @abstractmethod
    def inputs(self, indices: Tensor) -> Tensor:
        """Images (U,) as the network is scored on them, (U, C, s, s)."""

    @property
    def chance(self) -> float:
        """Loss of all classes alike."""
        return math.log(self.k)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of one batch, (1,)."""
        logits: Tensor = self.forward(self.network, self.transformed(indices, draw))
        labels = self._labels[moved(indices, self.device)]
        return cross_entropy(logits.float(), labels).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of images, (n, 1, classes)."""
        logits: Tensor = self.forward(self.network, self.inputs(indices))
        return logits.float()[:, None]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities of the classes, (n, 1, classes)."""
        return outputs.softmax(dim=2)
