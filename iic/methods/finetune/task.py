"""Supervised training of a classifier, from scratch or from a clustering run's trunk (Table 3)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from iic.augment.colour import ColourPipeline
from iic.engine.context import RunContext
from iic.engine.device import moved
from iic.engine.image_task import ImageTask
from iic.engine.labelled import class_labels, labelled_images
from iic.engine.pretrained import load_parts
from iic.methods.finetune.network import Classifier
from iic.params.errors import IICError
from iic.records.paths import RunPaths

if TYPE_CHECKING:
    from iic.methods.finetune.method import Settings

CROPS = 10
"""Crops that a test image's logits are averaged over."""


class ClassificationTask(ImageTask[Classifier]):
    """A classifier; labels train here.

    Args:
        context: The run.
        device: Where to run.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, or a batch would have
            one image.
    """

    PASS = "classes"
    settings: Settings

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        if self.settings.ten_crop:
            # each crop is an image of a batch
            self.evaluation_batch = max(1, self.evaluation_batch // CROPS)
        self._augmentation = ColourPipeline(self.settings.augmentation)
        number = len(self.training)
        self._labels = class_labels(context, device)
        if number % self.batch_images == 1:
            raise IICError(
                f"{context.name}: batch_images: {self.batch_images} leaves a batch of one of "
                f"{number:,} images, which BatchNorm cannot normalise: take another size"
            )

    def build(self) -> Classifier:
        """Trunk and classifier, the trunk perhaps from another run.

        Raises:
            IICError: That run's weights are of another network.
            RecordError: They are absent or damaged.
        """
        own, context = self.settings, self.context
        classifier = Classifier(own.network, self.k, own.features, own.head, own.hidden)
        if own.start_from is not None:
            dataset = context.paths.run.split("/")[0]
            base = RunPaths(context.paths.scale, f"{dataset}/{own.start_from}", self.seed)
            load_parts(classifier, ("trunk",), context.root / base.weights, own.checkpoint)
        return classifier

    @property
    def k(self) -> int:
        """Classes."""
        return self.context.classes

    @property
    def chance(self) -> float:
        """Loss of all classes alike."""
        return math.log(self.k)

    @cached_property
    def training(self) -> Tensor:
        """Images of the splits, or of one predefined fold, (n,)."""
        return labelled_images(self.context, self.settings.splits, self.settings.fold)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk and classifier, each with its learning rate."""
        own, network = self.settings, self.network
        return [
            {"params": list(network.trunk.parameters()), "lr": own.trunk_learning_rate},
            {"params": list(network.head.parameters()), "lr": own.head_learning_rate},
        ]

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of one batch, (1,)."""
        images = self._augmentation.transformed(self.store.batch(indices), 1, draw)
        labels = self._labels[moved(indices, self.device)]
        return nn.functional.cross_entropy(self._logits(images), labels).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of images, (n, 1, classes): of the centre crop, or the mean over ten crops."""
        images = self.store.batch(indices)
        if not self.settings.ten_crop:
            return self._logits(self._augmentation.evaluation(images))[:, None]
        logits = self._logits(self._augmentation.ten_crops(images).flatten(0, 1))
        return logits.view(CROPS, len(indices), -1).mean(dim=0)[:, None]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities of the classes, (n, 1, classes)."""
        return outputs.softmax(dim=2)

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.forward(self.network, images)
        return logits.float()
