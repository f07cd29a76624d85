"""Images and label maps of a segmentation run on the device: crops to train on, areas to score.

For methods that learn something else than clusters of pixels; `iic.methods.iic.map_task` has its
own way to the same crops and areas.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.augment.segmentation import SegmentationTransforms
from iic.engine.map_context import MapContext
from iic.engine.store import ImageStore
from iic.params.segmentation import MapSettings, SegmentationAugmentation


class Windows(NamedTuple):
    """Parts of images, and what is known of their pixels."""

    pixels: Tensor
    """(b, C, h, w) uint8, on the device."""
    classes: Tensor
    """(b, h, w) int64: the class of each pixel, -1 where it has none."""
    mask: Tensor
    """(b, h, w) booleans: pixels that may be learnt from."""


class MapImages:
    """The images that a run needs.

    Args:
        context: The run.
        maps: Which pixels count, in training and in evaluation.
        augmentation: The random transforms g, of which the crop and its size are used here.
        splits: Splits that are trained on; empty for the whole dataset.
        device: Where windows are wanted.

    Attributes:
        training: Images of `splits`, int64 on the host, (n,).
        evaluated: Images that are scored or mapped from, in the dataset's order, (m,).
        transforms: The transforms g.
    """

    def __init__(
        self,
        context: MapContext[Any],
        *,
        maps: MapSettings,
        augmentation: SegmentationAugmentation,
        splits: tuple[str, ...],
        device: torch.device,
    ) -> None:
        data = context.data
        self.device = device
        self.training = torch.from_numpy(data.indices(splits))
        self.evaluated: NDArray[np.int64] = context.protocol.images
        self.transforms = SegmentationTransforms(augmentation)
        self._maps = maps
        self._host_sizes = data.sizes
        self._sizes = torch.from_numpy(data.sizes).to(device)
        self._classes = torch.from_numpy(context.classes_of(maps)).to(device)
        needed = np.union1d(self.training.numpy(), self.evaluated)
        self._images = ImageStore(data.images, device, needed=needed)
        self._labels = ImageStore(data.labels, device, needed=needed)

    def crops(self, indices: Tensor, draw: torch.Generator) -> Windows:
        """A random crop of the network's input size of each image.

        Args:
            indices: Images (b,), int64 on the host.
            draw: Source of the corners, on the device.
        """
        corners = self.transforms.random(self._sizes[indices.to(self.device)], draw)
        pixels, labels = (
            self.transforms.cut(one.batch(indices), corners) for one in (self._images, self._labels)
        )
        return self._windows(pixels, labels)

    def areas(self, batch: int) -> Iterator[tuple[NDArray[np.int64], Windows]]:
        """The scored part of every evaluated image.

        Args:
            batch: Images at a time; whole images come in groups of one size.

        Yields:
            Places in `evaluated`, and the windows.
        """
        centre = self._maps.evaluation_area == "centre"
        sizes = self._host_sizes[self.evaluated]
        groups = [np.arange(len(sizes))]
        if not centre:
            _, group = np.unique(sizes, axis=0, return_inverse=True)
            groups = [np.flatnonzero(group == one) for one in range(int(group.max()) + 1)]
        parts = [
            group[start : start + batch]
            for group in groups
            for start in range(0, len(group), batch)
        ]
        for rows in parts:
            indices = torch.from_numpy(self.evaluated[rows])
            pixels, labels = self._images.batch(indices), self._labels.batch(indices)
            if centre:
                corners = self.transforms.centred(self._sizes[indices.to(self.device)])
                pixels, labels = (self.transforms.cut(one, corners) for one in (pixels, labels))
            else:
                height, width = (int(one) for one in sizes[rows[0]])
                pixels, labels = pixels[..., :height, :width], labels[..., :height, :width]
            yield rows, self._windows(pixels, labels)

    def _windows(self, pixels: Tensor, labels: Tensor) -> Windows:
        classes = self._classes[labels.long()]
        mask = (
            classes >= 0 if self._maps.training_mask else torch.ones_like(classes, dtype=torch.bool)
        )
        return Windows(pixels, classes, mask)
