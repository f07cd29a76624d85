"""Exemplar-CNN's features, classified by a support vector machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from iic.engine.device import autocast
from iic.engine.machine_task import MachineTask
from iic.engine.plain_images import plain_images
from iic.methods.exemplar.network import ExemplarNetwork

if TYPE_CHECKING:
    from iic.methods.exemplar.machine import Settings


class ExemplarMachineTask(MachineTask[ExemplarNetwork]):
    """Images in, classes of their features out."""

    settings: Settings

    def build(self) -> ExemplarNetwork:
        """The layers of the other run."""
        return self.load(ExemplarNetwork(self.settings.encoder), "layers")

    def evaluate(self, indices: Tensor) -> Tensor:
        """Features of whole images, (n, d)."""
        images = plain_images(self.store, indices, self.context.data.images.shape[-1])
        with autocast(self.device, self.compute):
            return self.network.pooled(images).float()
