"""Training of SimSiam, and clusters of its features."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from iic.augment.multi_crop import MultiCrop
from iic.engine.feature_task import FeatureTask
from iic.methods.simsiam.loss import siamese_loss
from iic.methods.simsiam.network import SiameseNetwork

if TYPE_CHECKING:
    from iic.methods.simsiam.settings import SimSiamSettings


class SimSiamTask(FeatureTask[SiameseNetwork]):
    """Two crops of an image predict each other's projection."""

    settings: SimSiamSettings

    def build(self) -> SiameseNetwork:
        """Encoder, projector and predictor."""
        own = self.settings
        return SiameseNetwork(own.encoder, projection=own.projection, bottleneck=own.bottleneck)

    @cached_property
    def crops(self) -> MultiCrop:
        """The random crops."""
        return MultiCrop(self.settings.crops)

    def steps(self, head: str) -> int:
        """Whole batches of a pass."""
        return len(self.training) // self.batch_images

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every whole batch, shuffled anew."""
        return super().order(epoch, position)[: self.steps(self.PASS)]

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of one batch of images, (1,); each crop is a batch of its own for BatchNorm."""
        network = self.network
        crops = self.crops.crops(self.store.batch(indices), draw)
        first, second = (network.projector(self._features(crop)) for crop in crops)
        predictions = network.predictor(first), network.predictor(second)
        return siamese_loss(predictions, (first, second)).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Features of whole images, each of length 1, (n, d)."""
        images = self.crops.evaluation(self.store.batch(indices))
        return normalize(self._features(images), dim=1)

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.forward(self.network.encoder, images)
        return features.float()
