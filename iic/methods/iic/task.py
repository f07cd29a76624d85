"""Training of a clustering network on pairs of an image and its random transform.

Each shortcut here is equal to the plain formulation, which tests/methods/iic proves in float64: the
unique originals go through the network once (`iic.methods.iic.repeats`), all sub-heads are one
matrix product, and the joint needs only the sum over the repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iic.engine.image_task import AugmentedTask
from iic.methods.iic.pair_task import REPORTED, PairTask
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
        return build(own.network, clusters, own.sub_heads, own.compute.heads_precision == "float32")

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,).

        Args:
            head: The head that is trained.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        images = self.store.batch(indices)
        repeats, copies = self.settings.pairs.repeats, self.copies
        originals = self.augmentation.original(images, draw).repeat(copies, 1, 1, 1)
        transformed = self.augmentation.transformed(images, repeats, draw)
        with self.originals.counted(len(images), repeats // copies):
            z = self.assignments(originals, head)
        z_transformed = self.assignments(transformed, head)
        summed = z_transformed.view(repeats // copies, *z.shape).sum(dim=0)
        return clustering_loss(z, summed, self.settings.heads[head].lam)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Cluster probabilities by the reported head, (n, h, k)."""
        images = self.augmentation.evaluation(self.store.batch(indices))
        return self.assignments(images, REPORTED)
