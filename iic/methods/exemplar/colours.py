"""Changes of colours: along principal colours, and of hue, saturation and value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Palette(NamedTuple):
    """Colours of many pixels."""

    mean: Tensor
    """(3,)."""
    directions: Tensor
    """Principal colours, orthonormal columns, (3, 3)."""


def palette(images: NDArray[np.uint8]) -> Palette:
    """Mean and principal colours of all pixels of images (N, 3, H, W)."""
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for image in images:
        pixels = image.reshape(3, -1).astype(np.float64) / 255
        count += pixels.shape[1]
        total += pixels.sum(axis=1)
        products += pixels @ pixels.T
    mean = total / count
    _, directions = np.linalg.eigh(products / count - np.outer(mean, mean))
    return Palette(
        torch.tensor(mean, dtype=torch.float32), torch.tensor(directions, dtype=torch.float32)
    )


def stretched(images: Tensor, colours: Palette, factors: Tensor) -> Tensor:
    """Each principal colour multiplied by a factor, from the mean colour.

    Args:
        images: (N, 3, H, W).
        colours: On the images' device.
        factors: (N, 3).
    """
    directions = colours.directions
    # the sum of three products, and no product of matrices, which may lose digits on a GPU
    matrices = ((directions * factors[:, None])[:, :, None] * directions).sum(3)
    away = images - colours.mean.view(3, 1, 1)
    moved = (matrices[:, :, :, None, None] * away[:, None]).sum(2)
    return moved + colours.mean.view(3, 1, 1)


def to_hsv(images: Tensor) -> Tensor:
    """Hue in full circles, saturation and value, (N, 3, H, W), of RGB in [0, 1]."""
    high, low = images.amax(1), images.amin(1)
    spread = high - low
    red, green, blue = images.unbind(1)
    share = spread.where(spread > 0, 1)
    hue = torch.where(
        red == high,
        (green - blue) / share,
        torch.where(green == high, (blue - red) / share + 2, (red - green) / share + 4),
    )
    saturation = spread / high.where(high > 0, 1)
    return torch.stack([(hue / 6).remainder(1), saturation, high], dim=1)


def to_rgb(images: Tensor) -> Tensor:
    """RGB in [0, 1], (N, 3, H, W), of hue in full circles, saturation and value."""
    hue, saturation, value = images.unbind(1)
    channels = []
    for start in (5, 3, 1):
        place = (start + 6 * hue).remainder(6)
        share = torch.minimum(place, 4 - place).clamp(0, 1)
        channels.append(value * (1 - saturation * share))
    return torch.stack(channels, dim=1)
