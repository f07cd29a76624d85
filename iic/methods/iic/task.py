"""Training of a clustering network on pairs of an image and its random transform.

Each shortcut here is equal to the plain formulation, which tests/methods/iic proves in float64: the
unique originals go through the network once (`iic.methods.iic.repeats`), all sub-heads are one
matrix product, and the joint needs only the sum over the repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iic.engine.device import autocast
from iic.engine.image_task import AugmentedTask
from iic.methods.iic.pair_task import REPORTED, PairTask
from iic.methods.iic.settings import TOGETHER
from iic.networks.build import build
from iic.networks.two_head import ClusteringNetwork
from iic.objective.clustering import clustering_loss

if TYPE_CHECKING:
    from iic.methods.iic.settings import ClusteringSettings


class ClusteringTask(PairTask[ClusteringNetwork], AugmentedTask[ClusteringNetwork]):
    """IIC on images."""

    settings: ClusteringSettings

    def build(self) -> ClusteringNetwork:
        """Trunk and heads."""
        clusters = {name: head.k for name, head in self.settings.heads.items()}
        own = self.settings
        precise = own.compute.heads_precision == "float32"
        return build(own.network, clusters, own.sub_heads, precise, own.initial_deviation)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,); of both heads the weighted sum.

        Args:
            head: The head that is trained, or `TOGETHER`.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        images = self.store.batch(indices)
        originals = self.augmentation.original(images, draw)
        transformed = self.augmentation.transformed(images, self.settings.pairs.repeats, draw)
        return self.loss_of(originals, transformed, head)

    def loss_of(self, originals: Tensor, transformed: Tensor, head: str) -> Tensor:
        """The same of network inputs.

        Args:
            originals: (U, C, S, S).
            transformed: All originals' first transforms, then their second, ..., (r U, C, S, S).
            head: As for `loss`.
        """
        copies = self.copies
        repeats = len(transformed) // len(originals) // copies
        with self.originals.counted(len(originals), repeats):
            z = self.assigned(originals.repeat(copies, 1, 1, 1), head)
        z_transformed = self.assigned(transformed, head)
        losses: dict[str, Tensor] = {}
        for name, own in z.items():
            summed = z_transformed[name].view(repeats, *own.shape).sum(dim=0)
            losses[name] = clustering_loss(own, summed, self.settings.heads[name].lam)
        if head != TOGETHER:
            return losses[head]
        weights = self.settings.weights
        return torch.stack([weights[name] * own for name, own in losses.items()]).sum(dim=0)

    def assigned(self, images: Tensor, head: str) -> dict[str, Tensor]:
        """Cluster probabilities (n, h, k) by each head that a pass trains, on the same features."""
        if head != TOGETHER:
            return {head: self.assignments(images, head)}
        features = self.forward(self.network.trunk, images)
        with autocast(self.device, self.compute):
            return {name: self.network.assign(features, name) for name in self.settings.heads}

    def evaluate(self, indices: Tensor) -> Tensor:
        """Cluster probabilities by the reported head, (n, h, k)."""
        images = self.augmentation.evaluation(self.store.batch(indices))
        return self.assignments(images, REPORTED)
