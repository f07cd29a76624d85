"""What a reader of a dataset for segmentation gives: images with a class for every pixel.

The label codes and what a module named in the catalogue has to offer when its entry has ``maps``.
Images that differ in size lie in the top left corner of a canvas that is equal for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

UNLABELLED = 254
"""Code of a pixel that the source gives no label: COCO's 255, Potsdam's tiles without labels."""
IGNORED = 255
"""Code of a pixel that never counts: of another class, of the padding, outside the content."""


class Maps(NamedTuple):
    """Images as they are prepared, with their labels.

    Args:
        images: uint8, (n, channels, height, width) of the canvas, zeros outside the content.
        labels: uint8, (n, height, width); 0 to k-1, `UNLABELLED` or `IGNORED`, the latter
            everywhere outside the content.
        sizes: int64, (n, 2): height and width of the content, padding included.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """What is read and written at once: a source image's tiles, or some images of a split.

    Args:
        key: Its name, by which a preparation that was killed knows what it has done.
        places: int64, (n,): where its images lie in the arrays of the whole dataset.
    """

    key: str
    places: NDArray[np.int64]


class MapReader(Protocol):
    """A dataset's raw files, opened and checked for what can be checked without decoding them."""

    names: tuple[str, ...]
    """Name of each image, in the order of the arrays."""
    pieces: tuple[Piece, ...]
    """They cover every place of the arrays once."""

    def read(self, piece: Piece) -> Maps:
        """Read the images of `piece` in the order of its places; called from several threads.

        Raises:
            DataError: A raw file is damaged or not as expected; names the file and the remedy.
        """


def canvas(count: int, shape: tuple[int, int, int]) -> Maps:
    """Arrays for `count` images of which nothing is filled in yet.

    Args:
        count: Number of images.
        shape: (channels, height, width) of the canvas.

    Returns:
        Images 0, labels `IGNORED`, sizes 0.
    """
    return Maps(
        np.zeros((count, *shape), np.uint8),
        np.full((count, *shape[1:]), IGNORED, np.uint8),
        np.zeros((count, 2), np.int64),
    )


def lookup(codes: Sequence[int | None], unlabelled: Sequence[int]) -> NDArray[np.uint8]:
    """Table from a source's label values to the prepared codes.

    Args:
        codes: Class of each value that the source may have, from 0; None for one that is ignored.
        unlabelled: Values of the source that stand for "no label".

    Returns:
        uint8, (256,); `IGNORED` for every value of which nothing is said.
    """
    table = np.full(256, IGNORED, np.uint8)
    for value, code in enumerate(codes):
        if code is not None:
            table[value] = code
    table[list(unlabelled)] = UNLABELLED
    return table
