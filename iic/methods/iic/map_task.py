"""Training of a segmentation network on pairs of a crop and its random transform.

The joint is bilinear in both outputs, so the r transformed versions of a crop are brought back into
its frame and summed before they are correlated with it; and the crop itself goes through the
network once (`iic.methods.iic.repeats`).
"""

from __future__ import annotations

import logging
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.augment.batch import integers
from iic.engine.context import RunContext
from iic.engine.map_task import MapTask
from iic.engine.seeding import generator
from iic.engine.task import CPU, Predictions
from iic.methods.iic.pair_task import REPORTED, PairTask
from iic.networks.segmentation import SegmentationNetwork, build_segmentation
from iic.objective.segmentation import segmentation_loss, sparse_shift, unflip

if TYPE_CHECKING:
    from iic.methods.iic.map_settings import TrainedSegmentationSettings

log = logging.getLogger(__name__)


class SegmentationTask(PairTask[SegmentationNetwork], MapTask[SegmentationNetwork]):
    """IIC on maps. Of the untrained network's settings `shifts` and `pairs` are properties."""

    settings: TrainedSegmentationSettings
    _empty_batches = 0

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        # images of batches, and whether the mask left nothing: looked at by `look`, not here, where
        # a GPU would have to be waited for
        self._unseen: list[tuple[Tensor, Tensor]] = []

    def build(self) -> SegmentationNetwork:
        """Trunk and heads."""
        clusters = {name: head.k for name, head in self.settings.heads.items()}
        own = self.settings
        precise = own.compute.heads_precision == "float32"
        return build_segmentation(own.network, clusters, own.sub_heads, precise)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,).

        A batch in which no pixel of a class is left has a loss of 0, which counts in the epoch's
        mean, and no gradient; the log counts such batches and names their images.

        Args:
            head: The head that is trained.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        repeats, copies = self.settings.pairs.repeats, self.copies
        shifts = self.settings.shifts
        windows = self.images.crops(indices, draw)
        originals = self.images.transforms.original(windows.pixels).repeat(copies, 1, 1, 1)
        transformed, flipped = self.images.transforms.transformed(windows.pixels, repeats, draw)
        with self.originals.counted(len(indices), repeats // copies):
            z = self.assignments(originals, head)
        z_transformed = unflip(self.assignments(transformed, head), flipped)
        summed = z_transformed.view(repeats // copies, *z.shape).sum(dim=0)
        if shifts.sparse_max:
            summed = sparse_shift(summed, *self._sparse(draw))
        if self.settings.maps.training_mask:
            self._unseen.append((indices, ~windows.mask.any()))
        mask = windows.mask.repeat(copies, 1, 1)
        lam = self.settings.heads[head].lam
        return segmentation_loss(z, summed, mask, shifts.half_side, lam, shifts.expectation)

    def evaluate(self, pixels: Tensor) -> Tensor:
        """Cluster probabilities by the reported head, (b, h, k, H, W)."""
        return self.assignments(self.images.transforms.original(pixels), REPORTED)

    def predict(self, probabilities: bool = False) -> Predictions:
        """Pixels of each cluster and class in the evaluated images, (n, h, k, classes) int32.

        Memory does not grow with the number of pixels. Probabilities are the maps (m, h, k, H, W)
        of the figures' images.
        """
        heads, k, classes = self.settings.sub_heads, self.k, self.context.classes
        images = self.images.evaluated
        counts = np.zeros((len(images), heads, k, classes), np.int32)
        for rows, z, windows in self.evaluations(images):
            counts[rows] = counted(z, windows.classes, classes).cpu().numpy()
        return Predictions(counts, self._shown() if probabilities else None)

    def selection_losses(self) -> tuple[float, ...] | None:
        """Loss of each sub-head of the reported head; None for a single one, as in the paper."""
        return None if self.settings.sub_heads == 1 else super().selection_losses()

    def _shown(self) -> NDArray[np.float16]:
        """Maps of the figures' images; of whole images smaller than others the rest is 0."""
        shown = self.context.examples(self.settings.maps.examples)
        height, width = self.context.data.images.shape[-2:]
        if self.settings.maps.evaluation_area == "centre":
            height = width = self.settings.augmentation.input_size
        shape = (len(shown), self.settings.sub_heads, self.k, height, width)
        maps = np.zeros(shape, dtype=np.float16)
        for rows, z, _ in self.evaluations(shown):
            maps[rows, ..., : z.shape[-2], : z.shape[-1]] = z.half().cpu().numpy()
        return maps

    def look(self) -> None:
        """Tell of the batches since the last look in which the mask left nothing."""
        batches, self._unseen = self._unseen, []
        if not batches:
            return
        empty = torch.stack([flag for _, flag in batches]).tolist()
        for indices in compress((indices for indices, _ in batches), empty):
            names = ", ".join(self.context.data.names[int(index)] for index in indices[:3])
            self._empty_batches += 1
            log.warning(
                "%s: a batch of %d images without one pixel of a class, passed over (%d so far): "
                "%s, ...",
                self.context.name,
                len(indices),
                self._empty_batches,
                names,
            )

    def _sparse(self, draw: torch.Generator) -> tuple[int, int]:
        """One further shift of the whole batch: rows and columns."""
        least, most = self.settings.shifts.sparse_min, self.settings.shifts.sparse_max
        # on the CPU and by seed alone: a generator on a GPU would have to be waited for
        places = generator(CPU, draw.initial_seed(), "sparse shift")
        sizes = integers(2, most - least, places) + least
        signs = 2 * integers(2, 1, places) - 1
        rows, columns = (sizes * signs).tolist()
        return int(rows), int(columns)


def counted(z: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Scored pixels of each cluster and class, (b, h, k, classes), of one batch.

    Args:
        z: Cluster probabilities (b, h, k, H, W).
        truth: Classes (b, H, W) int64, -1 where a pixel is not scored.
        classes: Number of classes.
    """
    size, heads, k = z.shape[:3]
    start = torch.arange(size * heads, device=z.device).view(size, heads, 1, 1)
    cell = (start * k + z.argmax(dim=2)) * classes + truth[:, None].clamp(min=0)
    scored = (truth >= 0)[:, None].expand_as(cell)
    counts = torch.bincount(cell[scored], minlength=size * heads * k * classes)
    return counts.view(size, heads, k, classes)
