"""ADC's embeddings, classified by a support vector machine."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from iic.augment.pipeline import Augmentation
from iic.augment.pipeline import build as build_augmentation
from iic.engine.machine_task import MachineTask
from iic.methods.adc.network import ADCNetwork

if TYPE_CHECKING:
    from iic.methods.adc.machine import Settings


class ADCMachineTask(MachineTask[ADCNetwork]):
    """Images in, classes of their embeddings out."""

    settings: Settings

    def build(self) -> ADCNetwork:
        """The network with the embedder of the ADC run."""
        return self.load(ADCNetwork(self.settings.embedder, self.k), "embedder")

    @cached_property
    def augmentation(self) -> Augmentation:
        """The crop at the centre."""
        return build_augmentation(self.settings.augmentation)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Embeddings of images, (n, d)."""
        images = self.augmentation.evaluation(self.store.batch(indices))
        embeddings: Tensor = self.forward(self.network.embedder, images)
        return embeddings.float()
