"""Training on triplets: an image, its random transform, and another image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configure, leased_device
from iic.engine.feature_task import FeatureTask, Points
from iic.engine.loop import Loop
from iic.engine.order import training_order
from iic.engine.seeding import generator
from iic.engine.task import HeadPass, Predictions
from iic.methods.triplets.loss import triplet_loss
from iic.methods.triplets.network import Representation
from iic.methods.triplets.settings import TripletSettings
from iic.params.training import PairSettings

CPU = torch.device("cpu")


class TripletTask(FeatureTask[TripletSettings]):
    """What the training loop needs to know about triplets; arguments as for `FeatureTask`.

    Each member goes through the network by itself, as in the released code: BatchNorm normalises
    anchors, positives and negatives apart.
    """

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        pairs = PairSettings(order=self.settings.order)
        self._anchors = training_order(context.data, self.settings.splits, pairs)

    def build(self) -> nn.Module:
        """Trunk and linear layer."""
        return Representation(self.settings.network, self.settings.outputs)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Anchors and negatives of every batch, (U, 2), on the host.

        Negatives are all images in an order of their own, so that one may be of the anchor's class,
        or the anchor itself.
        """
        anchors = self._anchors
        if self.settings.order == "shuffled":
            anchors = self._shuffled("order", epoch, position)
        pairs = torch.stack([anchors, self._shuffled("negatives", epoch, position)], dim=1)
        return list(torch.split(pairs, self.settings.batch_images))

    def _shuffled(self, purpose: str, epoch: int, position: int) -> Tensor:
        draw = generator(CPU, self.seed, purpose, epoch, position)
        return self._training[torch.randperm(len(self._training), generator=draw)]

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of one batch, (1,).

        Args:
            one: The pass.
            indices: Anchors and negatives, (U, 2).
            draw: Source of the transforms' parameters.
        """
        images, others = (self.store.batch(column) for column in indices.unbind(dim=1))
        anchor, positive, negative = (
            self.forward(seen)
            for seen in (
                self.augmentation.original(images, draw),
                self.augmentation.transformed(images, 1, draw),
                self.augmentation.original(others, draw),
            )
        )
        return triplet_loss(anchor, positive, negative, self.settings.margin).reshape(1)

    def points(self, batch: int) -> Points:
        """Linear outputs for the evaluated images, as they are."""
        return np.concatenate(list(self.features(self._evaluated, batch)))

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1): the largest output, or k-means of outputs."""
        if self.settings.outputs != self.k:
            return super().predict(batch, probabilities)
        small = np.min_scalar_type(self.k - 1)
        return Predictions(self.points(batch).argmax(axis=1).astype(small)[:, None], None)

    def selection_losses(self) -> tuple[float, ...] | None:
        """Inertia of k-means; None where there is no k-means, and so nothing to compare by."""
        return None if self.settings.outputs == self.k else super().selection_losses()


def train_triplets(context: RunContext[Any]) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run, with `TripletSettings`.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    settings: TripletSettings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = TripletTask(context, device)
        return Loop(task, settings.optimiser, settings.schedule, deterministic).run()
