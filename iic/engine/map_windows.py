"""Parts of images, one after another, for methods of segmentation that train no network.

It needs no torch, and holds one image at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.engine.map_context import MapContext
from iic.params.segmentation import MapSettings

Points = NDArray[np.float32]


class Window(NamedTuple):
    """A part of one image."""

    pixels: NDArray[np.uint8]
    """(C, h, w)."""
    classes: NDArray[np.int64]
    """(h, w); -1 where a pixel has none."""


def training_crops(
    context: MapContext[Any],
    maps: MapSettings,
    side: int,
    splits: tuple[str, ...],
    draw: np.random.Generator,
    most: int | None = None,
) -> Iterator[Window]:
    """A random square crop of every image that is trained on, in random order.

    Args:
        context: The run.
        maps: Which pixels have a class.
        side: Of the crop.
        splits: Splits that are trained on; empty for the whole dataset.
        draw: Source of the order and the corners.
        most: Crops of so many images at most.
    """
    data, classes = context.data, context.classes_of(maps)
    for index in draw.permutation(data.indices(splits))[:most]:
        top, left = (int(draw.integers(0, room + 1)) for room in data.sizes[index] - side)
        rows, columns = slice(top, top + side), slice(left, left + side)
        yield Window(
            data.images[index, :, rows, columns], classes[data.labels[index, rows, columns]]
        )


def scored_areas(context: MapContext[Any], maps: MapSettings, side: int) -> Iterator[Window]:
    """The scored part of each evaluated image, in the dataset's order.

    Args:
        context: The run.
        maps: Which part that is, and which pixels have a class.
        side: Of the network's input, where it is the centre.
    """
    data, classes = context.data, context.classes_of(maps)
    for index in context.protocol.images:
        rows, columns = context.area(int(index), maps, side)
        yield Window(
            data.images[index, :, rows, columns], classes[data.labels[index, rows, columns]]
        )


def in_chunks(parts: Iterable[Points], least: int) -> Iterator[Points]:
    """Points (n, d) joined to chunks of at least so many; the last one may be smaller."""
    kept: list[Points] = []
    held = 0
    for part in parts:
        kept.append(part)
        held += len(part)
        if held >= least:
            yield np.concatenate(kept)
            kept, held = [], 0
    if held:
        yield np.concatenate(kept)


def count(
    clusters: NDArray[np.int64], truth: NDArray[np.int64], k: int, classes: int
) -> NDArray[np.int64]:
    """How often each cluster meets each class, (k, classes).

    Args:
        clusters: (n,).
        truth: Classes (n,), none below 0.
        k: Number of clusters.
        classes: Number of classes.
    """
    return np.bincount(clusters * classes + truth, minlength=k * classes).reshape(k, classes)
