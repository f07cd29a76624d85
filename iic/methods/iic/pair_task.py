"""What IIC's tasks on images and on maps share: heads that are trained in turns, on pairs."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from iic.engine.order import training_order
from iic.engine.seeding import generator
from iic.engine.task import Task
from iic.methods.iic.repeats import RepeatedOriginals
from iic.methods.iic.settings import TOGETHER
from iic.networks.segmentation import SegmentationNetwork
from iic.networks.two_head import ClusteringNetwork

REPORTED = "B"
"""The head that predictions come from."""
N = TypeVar("N", ClusteringNetwork, SegmentationNetwork)


class PairTask(Task[N]):
    """Heads on one trunk; its settings say with `heads` and `turns` which epoch trains which.

    A batch has `pairs.repeats` transformed versions of each of its images, and each image counts
    for as many pairs.
    """

    @property
    def k(self) -> int:
        """Clusters of the reported head."""
        return int(self.settings.heads[REPORTED].k)

    @property
    def batch_images(self) -> int:
        """Distinct images in a batch."""
        return int(self.settings.pairs.batch_images)

    def passes_of(self, epoch: int) -> list[str]:
        """Heads that an epoch trains, in order."""
        turns: list[str] = self.settings.turns(epoch)
        return turns

    @cached_property
    def training(self) -> Tensor:
        """Images that any head is trained on or compared on, ascending."""
        used = {REPORTED, *(head for epoch in range(2) for head in self.passes_of(epoch))}
        images = torch.cat([self.training_images(head) for head in sorted(used)])
        return torch.from_numpy(np.unique(images.numpy()))

    def training_images(self, head: str) -> Tensor:
        """Images of a head, in the order of an unshuffled pass; of `TOGETHER` those of either."""
        return self._orders[REPORTED if head == TOGETHER else head]

    @cached_property
    def _orders(self) -> dict[str, Tensor]:
        data, pairs = self.context.data, self.settings.pairs
        heads = self.settings.heads.items()
        return {name: training_order(data, head.splits, pairs) for name, head in heads}

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, in the dataset's order if the settings say so."""
        if self.settings.pairs.order == "shuffled":
            return super().order(epoch, position)
        images = self.training_images(self.passes_of(epoch)[position])
        return list(torch.split(images, self.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Pairs of a batch."""
        return len(indices) * int(self.settings.pairs.repeats)

    def selection_losses(self) -> tuple[float, ...] | None:
        """Loss of each sub-head of the reported head: mean over one pass in evaluation mode.

        Sub-heads are compared by it without labels (supplement, section 10). The transforms are
        drawn from a stream of their own, the same at every checkpoint of a run.
        """
        total = torch.zeros(self.settings.sub_heads, dtype=torch.float64)
        batches = torch.split(self.training_images(REPORTED), self.batch_images)
        self.network.eval()
        with torch.no_grad():
            for step, indices in enumerate(batches):
                draw = generator(self.device, self.seed, "selection", step)
                total += self.loss(REPORTED, indices, draw).double().cpu()
        self.network.train()
        return tuple(float(value) / len(batches) for value in total)

    @property
    def copies(self) -> int:
        """How often an original of a batch goes through the network, 1 or the repeats."""
        return int(self.settings.pairs.copies(self.settings.network.batchnorm_parts))

    @cached_property
    def originals(self) -> RepeatedOriginals:
        """Counts originals as often as a batch repeats them."""
        own = self.settings.network
        shape = (own.in_channels, own.input_size, own.input_size)
        return RepeatedOriginals(self.network.trunk, shape)

    def assignments(self, images: Tensor, head: str) -> Tensor:
        """Cluster probabilities (n, h, k) of images, or (n, h, k, H, W) of their pixels."""
        probabilities: Tensor = self.forward(self.network, images, head)
        return probabilities
