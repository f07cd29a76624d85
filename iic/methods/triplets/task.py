"""Training on triplets: an image, its random transform, and another image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from iic.engine.feature_task import FeatureTask
from iic.engine.image_task import AugmentedTask
from iic.engine.order import training_order
from iic.engine.task import Predictions
from iic.methods.triplets.loss import triplet_loss
from iic.methods.triplets.network import Representation
from iic.params.training import PairSettings

if TYPE_CHECKING:
    from iic.methods.triplets.settings import TripletSettings


class TripletTask(AugmentedTask[Representation], FeatureTask[Representation]):
    """Triplets; k-means clusters the linear outputs, where there are more than clusters.

    Each member goes through the network by itself, as in the released code: BatchNorm normalises
    anchors, positives and negatives apart.
    """

    settings: TripletSettings

    def build(self) -> Representation:
        """Trunk and linear layer."""
        return Representation(self.settings.network, self.settings.outputs)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Anchors and negatives of every batch, (U, 2), on the host.

        Negatives are all images in an order of their own, so that one may be of the anchor's class,
        or the anchor itself.
        """
        order = self.settings.order
        if order == "shuffled":
            anchors = self.shuffled(self.training, "order", epoch, position)
        else:
            pairs = PairSettings(order=order)
            anchors = training_order(self.context.data, self.settings.splits, pairs)
        negatives = self.shuffled(self.training, "negatives", epoch, position)
        triplets = torch.stack([anchors, negatives], dim=1)
        return list(torch.split(triplets, self.batch_images))

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of one batch, (1,).

        Args:
            head: The pass.
            indices: Anchors and negatives, (U, 2).
            draw: Source of the transforms' parameters.
        """
        images, others = (self.store.batch(column) for column in indices.unbind(dim=1))
        anchor, positive, negative = (
            self.forward(self.network, seen).float()
            for seen in (
                self.augmentation.original(images, draw),
                self.augmentation.transformed(images, 1, draw),
                self.augmentation.original(others, draw),
            )
        )
        return triplet_loss(anchor, positive, negative, self.settings.margin).reshape(1)

    def predict(self, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1): the largest output, or k-means of outputs."""
        if self.settings.outputs != self.k:
            return super().predict(probabilities)
        small = np.min_scalar_type(self.k - 1)
        return Predictions(self.points().argmax(axis=1).astype(small)[:, None], None)

    def selection_losses(self) -> tuple[float, ...] | None:
        """Inertia of k-means; None where there is no k-means, and so nothing to compare by."""
        return None if self.settings.outputs == self.k else super().selection_losses()
