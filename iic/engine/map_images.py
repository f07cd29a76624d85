"""Images and label maps of a segmentation run on the device: crops to train on, areas to score."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.augment.segmentation import SegmentationTransforms
from iic.engine.device import many_sizes, moved
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
        training: Images that are trained on, int64 on the host, (n,).
        device: Where windows are wanted.

    Attributes:
        training: As given.
        evaluated: Images that are scored or mapped from, in the dataset's order, (m,).
        transforms: The transforms g.
    """

    def __init__(
        self,
        context: MapContext[Any],
        *,
        maps: MapSettings,
        augmentation: SegmentationAugmentation,
        training: Tensor,
        device: torch.device,
    ) -> None:
        data = context.data
        self.device = device
        self.training = training
        self.evaluated: NDArray[np.int64] = context.protocol.images
        self.transforms = SegmentationTransforms(augmentation)
        self._maps = maps
        self._host_sizes = data.sizes
        self._sizes = torch.from_numpy(data.sizes).to(device)
        self._classes = torch.from_numpy(context.classes_of(maps)).to(device)
        needed = np.union1d(training.numpy(), self.evaluated)
        self._images = ImageStore(data.images, device, needed=needed)
        self._labels = ImageStore(data.labels, device, needed=needed)

    def crops(self, indices: Tensor, draw: torch.Generator) -> Windows:
        """A random crop of the network's input size of each image.

        Args:
            indices: Images (b,), int64 on the host.
            draw: Source of the corners, on the device.
        """
        corners = self.transforms.random(self._sizes[moved(indices, self.device)], draw)
        pixels, labels = (
            self.transforms.cut(store.batch(indices), corners)
            for store in (self._images, self._labels)
        )
        return self._windows(pixels, labels)

    def areas(
        self, images: NDArray[np.int64], batch: int
    ) -> Iterator[tuple[NDArray[np.int64], Windows]]:
        """The scored part of images.

        Args:
            images: Images of those that are held, (n,).
            batch: Images at a time; whole images come in groups of one size.

        Yields:
            Positions in `images`, and the windows.
        """
        centre = self._maps.evaluation_area == "centre"
        sizes = self._host_sizes[images]
        groups = [np.arange(len(sizes))]
        if not centre:
            _, group = np.unique(sizes, axis=0, return_inverse=True)
            groups = [np.flatnonzero(group == size) for size in range(int(group.max()) + 1)]
        parts = [
            group[start : start + batch]
            for group in groups
            for start in range(0, len(group), batch)
        ]
        with contextlib.nullcontext() if centre else many_sizes():
            for rows in parts:
                indices = torch.from_numpy(images[rows])
                pixels, labels = self._images.batch(indices), self._labels.batch(indices)
                if centre:
                    corners = self.transforms.centred(self._sizes[moved(indices, self.device)])
                    pixels = self.transforms.cut(pixels, corners)
                    labels = self.transforms.cut(labels, corners)
                else:
                    height, width = (int(side) for side in sizes[rows[0]])
                    pixels, labels = pixels[..., :height, :width], labels[..., :height, :width]
                yield rows, self._windows(pixels, labels)

    def _windows(self, pixels: Tensor, labels: Tensor) -> Windows:
        classes = self._classes[labels.long()]
        mask = (
            classes >= 0 if self._maps.training_mask else torch.ones_like(classes, dtype=torch.bool)
        )
        return Windows(pixels, classes, mask)
