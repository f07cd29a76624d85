"""Training of a clustering network on pairs of an image and its random transform.

Each shortcut here is equal to the plain formulation, which tests/methods/iic proves in float64: the
unique originals go through the network once (`iic.methods.iic.repeats`), all sub-heads are one
matrix product, and the joint needs only the sum over the repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iic.augment.pipeline import Augmentation
from iic.augment.pipeline import build as build_augmentation
from iic.engine.context import RunContext
from iic.engine.device import autocast
from iic.engine.order import training_order
from iic.engine.seeding import derive, generator
from iic.engine.store import ImageStore
from iic.engine.task import HeadPass, Predictions
from iic.methods.iic.repeats import RepeatedOriginals
from iic.networks.build import build as build_network
from iic.networks.two_head import ClusteringNetwork
from iic.objective.clustering import clustering_loss
from iic.params.augmentation import AugmentationSettings
from iic.params.networks import NetworkSettings
from iic.params.training import ComputeSettings, PairSettings


class ClusteringTask:
    """What the training loop needs to know about clustering.

    Args:
        context: The run.
        network: Trunk.
        heads: Clusters of each head by name.
        splits: Splits that each head is trained on, empty for the whole dataset; the reported
            head's are also those that its sub-heads are compared on.
        sub_heads: h, for every head.
        augmentation: The random transforms g.
        pairs: How a batch is drawn.
        passes: Passes of one epoch, in order.
        report_head: Head that predictions come from.
        compute: Precision and memory format.
        device: Where to run.
    """

    def __init__(
        self,
        context: RunContext[Any],
        *,
        network: NetworkSettings,
        heads: Mapping[str, int],
        splits: Mapping[str, tuple[str, ...]],
        sub_heads: int,
        augmentation: AugmentationSettings,
        pairs: PairSettings,
        passes: Sequence[HeadPass],
        report_head: str,
        compute: ComputeSettings,
        device: torch.device,
    ) -> None:
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = compute
        self.passes = list(passes)
        self.report_head = report_head
        self.k = heads[report_head]
        self.pairs = pairs
        self.augmentation: Augmentation = build_augmentation(augmentation)
        data = context.data
        self._evaluated = torch.from_numpy(context.protocol.images)
        self._order = {head: training_order(data, splits[head], pairs) for head in heads}
        used = {one.head for one in passes} | {report_head}
        needed = np.unique(np.concatenate([self._evaluated, *(self._order[one] for one in used)]))
        self.store = ImageStore(data.images, device, needed=needed)
        torch.manual_seed(derive(self.seed, "network"))
        self.network: ClusteringNetwork = build_network(network, heads, sub_heads)
        layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        self.network.to(device).to(memory_format=layout)
        self._layout = layout
        shape = (network.in_channels, network.input_size, network.input_size)
        self._originals = RepeatedOriginals(self.network.trunk, shape)
        self._forward = torch.compile(self.network) if compute.compile else self.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters, those of a head that is never trained included: Adam leaves them."""
        return [{"params": list(self.network.parameters())}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """Passes of an epoch, in order: the same in each."""
        return self.passes

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._order[one.head]) / self.pairs.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, on the host."""
        indices = self._order[self.passes[position].head]
        if self.pairs.order == "shuffled":
            draw = generator(torch.device("cpu"), self.seed, "order", epoch, position)
            indices = indices[torch.randperm(len(indices), generator=draw)]
        return list(torch.split(indices, self.pairs.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Pairs of a batch."""
        return len(indices) * self.pairs.repeats

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,).

        Args:
            one: Head and lambda.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        images = self.store.batch(indices)
        repeats = self.pairs.repeats
        originals = self.augmentation.original(images, draw)
        transformed = self.augmentation.transformed(images, repeats, draw)
        with self._originals.counted(len(images), repeats):
            z = self._probabilities(originals, one.head)
        z_transformed = self._probabilities(transformed, one.head)
        summed = z_transformed.view(repeats, *z.shape).sum(dim=0)
        return clustering_loss(z, summed, one.lam)

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Predictions of the reported head for the evaluated images, in the dataset's order.

        Memory does not grow with the dataset beyond what is returned.

        Args:
            batch: Images a batch; matters where BatchNorm has no running statistics.
            probabilities: Whether to return them.
        """
        small = np.uint8 if self.k <= 256 else np.uint16
        clusters, kept = [], []
        self.network.eval()
        with torch.no_grad():
            for indices in torch.split(self._evaluated, batch):
                z = self._evaluate(indices)
                clusters.append(z.argmax(dim=2).cpu().numpy().astype(small))
                if probabilities:
                    kept.append(z.half().cpu().numpy())
        self.network.train()
        return Predictions(
            np.concatenate(clusters), np.concatenate(kept) if probabilities else None
        )

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images (``double_eval``)."""
        self.network.train()
        with torch.no_grad():
            for indices in torch.split(self._evaluated, batch):
                self._evaluate(indices)

    def selection_losses(self) -> tuple[float, ...]:
        """Loss of each sub-head of the reported head: mean over one pass in evaluation mode.

        Sub-heads are compared by it without labels (supplement, section 10). The transforms are
        drawn from a stream of their own, the same at every checkpoint of a run.
        """
        one = next((one for one in self.passes if one.head == self.report_head), None)
        one = one or HeadPass(self.report_head)
        total = torch.zeros(0)
        batches = torch.split(self._order[self.report_head], self.pairs.batch_images)
        self.network.eval()
        with torch.no_grad():
            for step, indices in enumerate(batches):
                draw = generator(self.device, self.seed, "selection", step)
                losses = self.loss(one, indices, draw).double()
                total = losses if step == 0 else total + losses
        self.network.train()
        return tuple(float(value) / len(batches) for value in total.cpu())

    def _evaluate(self, indices: Tensor) -> Tensor:
        images = self.augmentation.evaluation(self.store.batch(indices))
        return self._probabilities(images, self.report_head)

    def _probabilities(self, images: Tensor, head: str) -> Tensor:
        with autocast(self.device, self.compute):
            result: Tensor = self._forward(images.contiguous(memory_format=self._layout), head)
        return result
