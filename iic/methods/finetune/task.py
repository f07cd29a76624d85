"""Supervised training of a classifier, from scratch or from a clustering run's trunk (Table 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from iic.augment.colour import ColourPipeline
from iic.engine.context import RunContext
from iic.engine.labelled_task import ClassifierTask
from iic.methods.finetune.network import Classifier

if TYPE_CHECKING:
    from iic.methods.finetune.method import Settings

CROPS = 10
"""Crops that a test image's logits are averaged over."""


class ClassificationTask(ClassifierTask[Classifier]):
    """A trunk, perhaps another run's, and a classifier, each with its learning rate."""

    settings: Settings

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        if self.settings.ten_crop:
            # each crop is an image of a batch
            self.evaluation_batch = max(1, self.evaluation_batch // CROPS)
        self._augmentation = ColourPipeline(self.settings.augmentation)

    def build(self) -> Classifier:
        """Trunk and classifier, the trunk perhaps from another run.

        Raises:
            IICError: That run's weights are of another network.
            RecordError: They are absent or damaged.
        """
        own = self.settings
        network = Classifier(own.network, self.k, own.features, own.head, own.hidden)
        return self.load(network, "trunk")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk and classifier, each with its learning rate."""
        own, network = self.settings, self.network
        return [
            {"params": list(network.trunk.parameters()), "lr": own.trunk_learning_rate},
            {"params": list(network.head.parameters()), "lr": own.head_learning_rate},
        ]

    def transformed(self, indices: Tensor, draw: torch.Generator) -> Tensor:
        """A random transform of each image, (U, C, s, s)."""
        return self._augmentation.transformed(self.store.batch(indices), 1, draw)

    def inputs(self, indices: Tensor) -> Tensor:
        """The centre crop of each image, (U, C, s, s)."""
        return self._augmentation.evaluation(self.store.batch(indices))

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of images, (n, 1, classes): of the centre crop, or the mean over ten crops."""
        if not self.settings.ten_crop:
            return super().evaluate(indices)
        crops = self._augmentation.ten_crops(self.store.batch(indices)).flatten(0, 1)
        logits: Tensor = self.forward(self.network, crops).float()
        return logits.view(CROPS, len(indices), -1).mean(dim=0)[:, None]
