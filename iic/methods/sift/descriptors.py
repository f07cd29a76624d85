"""Dense SIFT: descriptors of upright boxes of one size on a grid (Lowe, IJCV 2004), with numpy.

As VLFeat's ``dsift`` with its defaults, which the released code calls: 4 x 4 bins of 3 pixels, 8
orientations, a Gaussian window of two bins, bins in bilinear shares. A descriptor is brought to
length 1, cut at 0.2, brought to length 1 once more and stored as the floor of 512 times it.

Why not a library: VLFeat's binding has no wheels any more; OpenCV (150 MB) and kornia smooth and
weight differently, and neither is VLFeat to the last number, which this is, but for rounding.

Both sums over a box are sums over rows and columns apart, so that all bins of an image in one
direction are one product with a matrix of weights.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

STEP = 10
"""Pixels from one descriptor to the next; also the side of the box whose centre has its label."""
BINS = 4
"""Along each direction."""
BIN_SIDE = 3
"""Pixels from the centre of one bin to that of the next."""
ORIENTATIONS = 8
NUMBERS = BINS * BINS * ORIENTATIONS
"""Of a descriptor: 128."""
WINDOW = 2.0 * BIN_SIDE
"""Standard deviation of the Gaussian about a descriptor's centre, in pixels."""
LARGEST = 0.2
SCALE = 512
SMALLEST = float(np.finfo(np.float32).eps)


def descriptor_count(size: int) -> int:
    """Descriptors along a line of so many pixels: floor(size / 10) for 10 pixels and more."""
    return max(0, (size - 1 - (BINS - 1) * BIN_SIDE) // STEP + 1)


def box_centres(size: int) -> NDArray[np.int64]:
    """Pixels whose label the descriptors of a line have: 5, 15, 25 and so on.

    The bins of the first lie at pixels 0, 3, 6 and 9, so that its true centre is 4.5.
    """
    return STEP // 2 + STEP * np.arange(descriptor_count(size))


def dense_sift(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Descriptors of grey images.

    Args:
        grey: (n, H, W); the unit of brightness does not matter.

    Returns:
        (n, rows, columns, 128), `descriptor_count` of them along each direction: row of bins,
        column of bins, orientation. The descriptor of a box without any gradient is 0.
    """
    number, height, width = grey.shape
    down, across = _weights(height), _weights(width)
    rows, columns = descriptor_count(height), descriptor_count(width)
    gradients = orientation_maps(grey)
    # (8, n, bins of all rows, W), then (8, n, bins of all rows, bins of all columns)
    sums = (down @ gradients) @ across.T
    bins = sums.reshape(ORIENTATIONS, number, rows, BINS, columns, BINS)
    histograms = bins.transpose(1, 2, 4, 3, 5, 0).reshape(number, rows, columns, NUMBERS)
    histograms = np.minimum(_unit(histograms), LARGEST)
    descriptors: NDArray[np.uint8] = np.minimum(SCALE * _unit(histograms), 255).astype(np.uint8)
    return descriptors


def orientation_maps(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lengths of the gradients, shared among the two nearest of 8 orientations.

    Args:
        grey: (n, H, W).

    Returns:
        (8, n, H, W).
    """
    # differences to both neighbours halved, at the border to the only one
    by_row, by_column = (np.gradient(grey, axis=axis) for axis in (1, 2))
    length = np.hypot(by_row, by_column)
    turn = np.mod(np.arctan2(by_row, by_column), 2 * math.pi) * (ORIENTATIONS / (2 * math.pi))
    low = np.floor(turn)
    share = turn - low
    maps = np.zeros((ORIENTATIONS, *grey.shape), np.float32)
    for orientation in range(ORIENTATIONS):
        maps[orientation] = np.where(low % ORIENTATIONS == orientation, (1 - share) * length, 0)
        maps[orientation] += np.where((low + 1) % ORIENTATIONS == orientation, share * length, 0)
    return maps


@cache
def _weights(size: int) -> NDArray[np.float32]:
    """What each pixel of a line adds to each bin of each descriptor, (descriptors * bins, size).

    Bins overlap: a pixel counts by its distance from the bin's centre, and by the Gaussian about
    the descriptor's. The pixels beyond the border are those of the border.
    """
    reach = np.arange(1 - BIN_SIDE, BIN_SIDE)
    weights = np.zeros((descriptor_count(size) * BINS, size), np.float32)
    for row in range(len(weights)):
        frame, which = divmod(row, BINS)
        from_centre = BIN_SIDE * (which - (BINS - 1) / 2) + reach
        share = 1 - np.abs(reach) / BIN_SIDE
        pixel = (STEP * frame + BIN_SIDE * which + reach).clip(0, size - 1)
        np.add.at(weights[row], pixel, share * np.exp(-0.5 * (from_centre / WINDOW) ** 2))
    return weights


def _unit(descriptors: NDArray[np.floating]) -> NDArray[np.floating]:
    length = np.linalg.norm(descriptors, axis=-1, keepdims=True) + SMALLEST
    scaled: NDArray[np.floating] = descriptors / length
    return scaled
