"""Training of a segmentation network on pairs of a crop and its random transform.

The joint is bilinear in both outputs, so the r transformed versions of a crop are brought back into
its frame and summed before they are correlated with it; and the crop itself goes through the
network once (`iic.methods.iic.repeats`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.augment.batch import integers
from iic.augment.segmentation import SegmentationTransforms
from iic.engine.device import autocast
from iic.engine.map_context import MapContext
from iic.engine.seeding import derive, generator
from iic.engine.store import ImageStore
from iic.engine.task import HeadPass, Predictions
from iic.methods.iic.repeats import RepeatedOriginals
from iic.networks.segmentation import SegmentationNetwork, build_segmentation
from iic.objective.segmentation import segmentation_loss, sparse_shift, unflip
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
)
from iic.params.training import ComputeSettings, PairSettings

log = logging.getLogger(__name__)


class SegmentationTask:
    """What the training loop needs to know about segmentation.

    Args:
        context: The run.
        network: Trunk and the heads' padding.
        heads: Clusters of each head by name.
        splits: Splits that each head is trained on, empty for the whole dataset.
        sub_heads: h, for every head.
        augmentation: The random transforms g.
        shifts: Displacements of the objective.
        maps: Which pixels count, in training and in evaluation.
        pairs: How a batch is drawn.
        passes: Passes of an epoch, counted from 0, in order.
        report_head: Head that predictions come from.
        compute: Precision and memory format.
        device: Where to run.
    """

    def __init__(
        self,
        context: MapContext[Any],
        *,
        network: SegmentationNetworkSettings,
        heads: Mapping[str, int],
        splits: Mapping[str, tuple[str, ...]],
        sub_heads: int,
        augmentation: SegmentationAugmentation,
        shifts: ShiftSettings,
        maps: MapSettings,
        pairs: PairSettings,
        passes: Callable[[int], Sequence[HeadPass]],
        report_head: str,
        compute: ComputeSettings,
        device: torch.device,
    ) -> None:
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = compute
        self.passes_of = passes
        self.report_head = report_head
        self.k = heads[report_head]
        self.sub_heads = sub_heads
        self.pairs = pairs
        self.shifts = shifts
        self.maps = maps
        self.transforms = SegmentationTransforms(augmentation)
        self._empty_batches = 0
        self.examples_kept = context.examples(maps.examples)
        data = context.data
        self._evaluated = context.protocol.images
        self._order = {head: torch.from_numpy(data.indices(splits[head])) for head in heads}
        trained = np.concatenate([order.numpy() for order in self._order.values()])
        needed = np.unique(np.concatenate([self._evaluated, trained, self.examples_kept]))
        self.store = ImageStore(data.images, device, needed=needed)
        self.labels = ImageStore(data.labels, device, needed=needed)
        self._sizes = torch.from_numpy(data.sizes).to(device)
        self._classes = torch.from_numpy(context.classes_of(maps)).to(device)
        torch.manual_seed(derive(self.seed, "network"))
        self.network: SegmentationNetwork = build_segmentation(network, heads, sub_heads)
        layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        self.network.to(device).to(memory_format=layout)
        self._layout = layout
        shape = (network.in_channels, network.input_size, network.input_size)
        self._originals = RepeatedOriginals(self.network.trunk, shape)
        self._forward = torch.compile(self.network) if compute.compile else self.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters."""
        return [{"params": list(self.network.parameters())}]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._order[one.head]) / self.pairs.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, on the host."""
        indices = self._order[self.passes_of(epoch)[position].head]
        if self.pairs.order == "shuffled":
            draw = generator(torch.device("cpu"), self.seed, "order", epoch, position)
            indices = indices[torch.randperm(len(indices), generator=draw)]
        return list(torch.split(indices, self.pairs.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Pairs of a batch."""
        return len(indices) * self.pairs.repeats

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,).

        A batch in which no pixel of a class is left has a loss of 0, which counts in the epoch's
        mean, and no gradient; the log counts such batches and names their images.

        Args:
            one: Head and lambda.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        repeats = self.pairs.repeats
        corners = self.transforms.random(self._sizes[indices.to(self.device)], draw)
        windows = self.transforms.cut(self.store.batch(indices), corners)
        originals = self.transforms.original(windows)
        transformed, flipped = self.transforms.transformed(windows, repeats, draw)
        with self._originals.counted(len(indices), repeats):
            z = self._probabilities(originals, one.head)
        z_transformed = unflip(self._probabilities(transformed, one.head), flipped)
        summed = z_transformed.view(repeats, *z.shape).sum(dim=0)
        if self.shifts.sparse_max:
            summed = sparse_shift(summed, *self._sparse(draw))
        return segmentation_loss(
            z,
            summed,
            self._mask(indices, corners),
            self.shifts.half_side,
            one.lam,
            self.shifts.expectation,
        )

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Pixels of each cluster and class in the evaluated images, (n, h, k, classes) int32.

        Memory does not grow with the number of pixels.

        Args:
            batch: Images a batch; matters where BatchNorm has no running statistics.
            probabilities: Whether to return the maps (m, h, k, H, W) of the figures' images.
        """
        counts = np.zeros(
            (len(self._evaluated), self.sub_heads, self.k, self.context.classes), np.int32
        )
        maps = self._empty_maps() if probabilities else None
        self.network.eval()
        with torch.no_grad():
            for rows, z, truth in self._areas(self._evaluated, batch):
                counts[rows] = self._counts(z, truth).cpu().numpy()
            if maps is not None:
                for rows, z, _ in self._areas(self.examples_kept, batch):
                    height, width = z.shape[-2:]
                    maps[rows, ..., :height, :width] = z.half().cpu().numpy()
        self.network.train()
        return Predictions(counts, maps)

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        self.network.train()
        with torch.no_grad():
            for _ in self._areas(self._evaluated, batch):
                pass

    def selection_losses(self) -> tuple[float, ...] | None:
        """Loss of each sub-head of the reported head; None for a single one, as in the paper."""
        if self.sub_heads == 1:
            return None
        known = (one for one in self.passes_of(0) if one.head == self.report_head)
        one = next(known, HeadPass(self.report_head))
        batches = torch.split(self._order[self.report_head], self.pairs.batch_images)
        total = torch.zeros(self.sub_heads, dtype=torch.float64)
        self.network.eval()
        with torch.no_grad():
            for step, indices in enumerate(batches):
                draw = generator(self.device, self.seed, "selection", step)
                total += self.loss(one, indices, draw).double().cpu()
        self.network.train()
        return tuple(float(value) / len(batches) for value in total)

    def _mask(self, indices: Tensor, corners: Any) -> Tensor:
        """Pixels that the loss is over, booleans (U, S, S)."""
        truth = self.transforms.cut(self.labels.batch(indices), corners)
        if not self.maps.training_mask:
            return torch.ones_like(truth, dtype=torch.bool)
        mask = self._classes[truth.long()] >= 0
        if not bool(mask.any()):
            names = [self.context.data.names[int(index)] for index in indices[:3]]
            self._empty_batches += 1
            log.warning(
                "%s: a batch of %d images without one pixel of a class, passed over (%d so far): "
                "%s, ...", self.context.name, len(indices), self._empty_batches, ", ".join(names),
            )  # fmt: skip
        return mask

    def _sparse(self, draw: torch.Generator) -> tuple[int, int]:
        """One further shift of the whole batch: rows and columns."""
        least, most = self.shifts.sparse_min, self.shifts.sparse_max
        sizes = integers(2, most - least, draw) + least
        signs = 2 * integers(2, 1, draw) - 1
        rows, columns = (sizes * signs).tolist()
        return int(rows), int(columns)

    def _areas(
        self, images: NDArray[np.int64], batch: int
    ) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        """Predictions of the evaluated part of each image, batch by batch.

        Yields:
            Places in `images`, probabilities (b, h, k, H, W) and classes (b, H, W), -1 where a
            pixel is not scored. Whole images come in groups of one size.
        """
        centre = self.maps.evaluation_area == "centre"
        sizes = self.context.data.sizes[images]
        groups = [np.arange(len(images))]
        if not centre:
            _, group = np.unique(sizes, axis=0, return_inverse=True)
            groups = [np.flatnonzero(group == one) for one in range(int(group.max()) + 1)]
        for rows in (part for group in groups for part in _split(group, batch)):
            indices = torch.from_numpy(images[rows])
            pixels, labels = self.store.batch(indices), self.labels.batch(indices)
            if centre:
                corners = self.transforms.centred(self._sizes[indices.to(self.device)])
                pixels, labels = (self.transforms.cut(one, corners) for one in (pixels, labels))
            else:
                height, width = sizes[rows[0]]
                pixels, labels = pixels[..., :height, :width], labels[..., :height, :width]
            z = self._probabilities(self.transforms.original(pixels), self.report_head)
            yield rows, z, self._classes[labels.long()]

    def _counts(self, z: Tensor, truth: Tensor) -> Tensor:
        """Scored pixels of each cluster and class, (b, h, k, classes), of one batch."""
        size, heads, k = z.shape[:3]
        classes = self.context.classes
        place = torch.arange(size * heads, device=z.device).view(size, heads, 1, 1)
        cell = (place * k + z.argmax(dim=2)) * classes + truth[:, None].clamp(min=0)
        scored = (truth >= 0)[:, None].expand_as(cell)
        counts = torch.bincount(cell[scored], minlength=size * heads * k * classes)
        return counts.view(size, heads, k, classes)

    def _empty_maps(self) -> NDArray[np.float16]:
        height, width = self.context.data.images.shape[-2:]
        if self.maps.evaluation_area == "centre":
            height = width = self.transforms.settings.input_size
        shape = (len(self.examples_kept), self.sub_heads, self.k, height, width)
        return np.zeros(shape, dtype=np.float16)

    def _probabilities(self, images: Tensor, head: str) -> Tensor:
        with autocast(self.device, self.compute):
            result: Tensor = self._forward(images.contiguous(memory_format=self._layout), head)
        return result


def _split(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
