"""Shrinking images as OpenCV does, in whole numbers: the same bytes on every machine.

The paper's COCO images went through ``cv2.resize(image, None, fx=0.33, fy=0.33)``, bilinear, and
their labels through its nearest neighbour. Bilinear means there: each new pixel comes from the four
around its place, however much the image shrinks (nothing is averaged over the pixels between), with
weights in units of 1/2048. PIL and torch do it otherwise. OpenCV itself is no dependency for it.

The released code scaled floats, of which training then cut off the fraction; whole grey levels, as
here, differ by about one at most (docs/fidelity.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEIGHT_BITS = 11
"""OpenCV's fixed-point weights sum to 2 to the power of this."""


def scaled(side: int, factor: float) -> int:
    """New length of a side of `side` pixels: rounded, halves to the even number."""
    return round(side * factor)


def bilinear(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Shrink an image as ``cv2.resize(image, None, fx=factor, fy=factor)`` does.

    Args:
        image: uint8, (height, width, channels).
        factor: Both sides' factor, 0 to 1.

    Returns:
        uint8, (`scaled` height, `scaled` width, channels).

    Raises:
        ValueError: Not a pixel is left.
    """
    height, width = _size(image, factor)
    if factor == 1:
        return image
    left, right, across = _neighbours(width, image.shape[1], factor)
    above, below, down = _neighbours(height, image.shape[0], factor)
    # At the left and right edge both neighbours are the same pixel, which gets all the weight; at
    # the upper and lower edge OpenCV keeps both weights. The roundings differ.
    across[left == right] = (1 << WEIGHT_BITS, 0)
    weights = across[:, :, None]
    rows = [
        image[lines][:, left] * weights[:, 0] + image[lines][:, right] * weights[:, 1]
        for lines in (above, below)
    ]
    weighted = [((row >> 4) * down[:, index, None, None]) >> 16 for index, row in enumerate(rows)]
    return ((weighted[0] + weighted[1] + 2) >> 2).astype(np.uint8)


def nearest(labels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Shrink labels as ``cv2.resize(..., interpolation=cv2.INTER_NEAREST)`` does.

    Args:
        labels: uint8, (height, width).
        factor: Both sides' factor, 0 to 1.

    Returns:
        uint8, (`scaled` height, `scaled` width): of each new pixel's square the pixel in its upper
        left corner, not the one in its middle.

    Raises:
        ValueError: Not a pixel is left.
    """
    height, width = _size(labels, factor)
    rows = _corners(height, labels.shape[0], factor)
    return labels[rows[:, None], _corners(width, labels.shape[1], factor)]


def _size(image: NDArray[np.uint8], factor: float) -> tuple[int, int]:
    height, width = (scaled(side, factor) for side in image.shape[:2])
    if not (height and width):
        raise ValueError(f"{image.shape[0]}x{image.shape[1]} pixels leave none at factor {factor}")
    return height, width


def _neighbours(
    count: int, side: int, factor: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Places of the two pixels beside each new one, and their weights (count, 2)."""
    # in double precision up to the place, in single precision from there on, as OpenCV
    coordinates = ((np.arange(count) + 0.5) * (1.0 / factor) - 0.5).astype(np.float32)
    before = np.floor(coordinates).astype(np.int64)
    part = coordinates - before.astype(np.float32)
    weights = np.stack([np.float32(1) - part, part], axis=1) * np.float32(1 << WEIGHT_BITS)
    last = side - 1
    return (
        before.clip(0, last),
        (before + 1).clip(0, last),
        np.rint(weights).astype(np.int32),
    )


def _corners(count: int, side: int, factor: float) -> NDArray[np.int64]:
    places: NDArray[np.int64] = np.floor(np.arange(count) * (1.0 / factor)).astype(np.int64)
    return places.clip(0, side - 1)
