"""Training of the template: what differs from `iic.engine.task.Task`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iic.engine.image_task import AugmentedTask
from iic.methods._template.loss import agreement_loss
from iic.methods._template.network import Assigner

if TYPE_CHECKING:
    from iic.methods._template.settings import TemplateSettings


class TemplateTask(AugmentedTask[Assigner]):
    """Each epoch goes once through the images, shuffled anew; order and seeds are the engine's."""

    PASS = "agreement"
    settings: TemplateSettings

    def build(self) -> Assigner:
        """Trunk and layer."""
        return Assigner(self.settings.network, self.k)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of one batch of images, (1,); `draw` is the source of all chance."""
        images = self.store.batch(indices)
        first, second = (
            self.forward(self.network, inputs).float()
            for inputs in (
                self.augmentation.original(images, draw),
                self.augmentation.transformed(images, 1, draw),
            )
        )
        return agreement_loss(first, second, self.settings.evenness).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Cluster probabilities of the one "sub-head", (n, 1, k)."""
        return super().evaluate(indices)[:, None]
