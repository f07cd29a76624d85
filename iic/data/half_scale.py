"""Shrinking to half the size as OpenCV does, exactly and in little memory.

``cv2.resize(image, None, fx=0.5, fy=0.5)`` with its bilinear default puts each new pixel in the
middle of four old ones, so that it is their mean, halves rounded up; nearest neighbour takes the
upper left of the four. `iic.data.rescale` gives the same for any factor, but holds several arrays
of the size of an image in four bytes a value: for an aerial image of 6000 x 6000 that is too much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 256
"""New rows that are computed at once."""


def halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean of each 2 x 2 pixels, halves rounded up.

    Args:
        image: uint8, (height, width, channels), both sides even.

    Returns:
        uint8, (height / 2, width / 2, channels).
    """
    height, width, channels = image.shape
    new = np.empty((height // 2, width // 2, channels), np.uint8)
    for start in range(0, height // 2, ROWS):
        part = image[2 * start : 2 * (start + ROWS)].astype(np.uint16)
        rows = part[::2] + part[1::2]
        new[start : start + ROWS] = (rows[:, ::2] + rows[:, 1::2] + 2) >> 2
    return new


def halved_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The upper left of each 2 x 2 pixels.

    Args:
        labels: uint8, (height, width), both sides even.

    Returns:
        uint8, (height / 2, width / 2).
    """
    return labels[::2, ::2]
