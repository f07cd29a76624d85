"""Training of Deep InfoMax without labels, and clusters of its global features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Generator, Tensor

from iic.engine.device import autocast
from iic.engine.feature_task import FeatureTask
from iic.methods.deep_infomax.inputs import resized
from iic.methods.deep_infomax.loss import local_loss
from iic.methods.deep_infomax.network import DIMNetwork

if TYPE_CHECKING:
    from iic.methods.deep_infomax.settings import DIMSettings


class DIMTask(FeatureTask[DIMNetwork]):
    """Is this place of the same image as that vector?"""

    PASS = "information"
    settings: DIMSettings

    def build(self) -> DIMNetwork:
        """Encoder, and what compares its features."""
        return DIMNetwork(self.settings.encoder, self.settings.units)

    @property
    def chance(self) -> float:
        """Loss of scores of 0."""
        return 2 * math.log(2)

    def loss(self, head: str, indices: Tensor, draw: Generator) -> Tensor:
        """The estimator on one batch, (1,)."""
        places, vectors = self.forward(self.network, self.inputs(indices))
        return local_loss(places.float(), vectors.float()).reshape(1)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return resized(self.store, indices, self.settings.encoder.input_size)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Global features of images, (n, d)."""
        with autocast(self.device, self.compute):
            return self.network.encode(self.inputs(indices)).float()
