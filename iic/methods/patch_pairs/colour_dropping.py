"""Two of three colours give way to noise (Doersch, Gupta, Efros, ICCV 2015, section 3.1).

Without it the lens's chromatic aberration tells where in the photograph a patch lies. Per image one
of the three colours is kept, and the others become Gaussian noise around the kept colour's mean
with a hundredth of its standard deviation, as in the released code of IIC: mean and deviation are
those of the whole training set, and what was computed from the colours before (Sobel gradients)
stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.augment.batch import integers, per_image

COLOURS = 3
"""Leading channels that are dropped; what follows, infrared and gradients, is left as it is."""
NOISE = 0.01
"""Standard deviation of the noise as a share of the kept colour's."""
PART = 256
"""Images that are looked at together."""


class ColourStatistics(NamedTuple):
    """Mean and standard deviation of each colour over a set of images, in [0, 1]: (3,) each."""

    mean: Tensor
    deviation: Tensor


def colour_statistics(
    images: NDArray[np.uint8], sizes: NDArray[np.int64], indices: NDArray[np.int64]
) -> ColourStatistics:
    """Mean and deviation over all pixels of some images; exact, and in little memory.

    Args:
        images: (N, C, H, W), the first three channels colours; zeros outside of each image.
        sizes: Height and width of each image, (N, 2).
        indices: Images to look at.
    """
    counts = np.zeros((COLOURS, 256), np.int64)
    outside = 0
    for start in range(0, len(indices), PART):
        part = np.sort(indices[start : start + PART])
        canvas = images[part, :COLOURS]
        for colour in range(COLOURS):
            counts[colour] += np.bincount(canvas[:, colour].ravel(), minlength=256)
        outside += canvas[:, 0].size - int(sizes[part].prod(axis=1).sum())
    counts[:, 0] -= outside
    values = np.arange(256) / 255
    total = counts.sum(axis=1)
    mean = counts @ values / total
    deviation = np.sqrt((counts * np.square(values - mean[:, None])).sum(axis=1) / total)
    return ColourStatistics(*(torch.from_numpy(array).float() for array in (mean, deviation)))


def drop_colours(
    images: Tensor, statistics: ColourStatistics, generator: torch.Generator
) -> Tensor:
    """Images of which one colour is left.

    Args:
        images: float (n, C, H, W), the first three channels colours in [0, 1].
        statistics: Of the three, on the images' device.
        generator: Source of the random numbers, on the images' device.

    Returns:
        Same shape; the noise may leave [0, 1] by a little.
    """
    count, _, height, width = images.shape
    kept = integers(count, COLOURS - 1, generator)
    noise = torch.randn(count, COLOURS, height, width, generator=generator, device=images.device)
    mean, deviation = (per_image(statistic[kept]) for statistic in statistics)
    noise = noise.mul_(NOISE * deviation).add_(mean)
    stays = kept[:, None] == torch.arange(COLOURS, device=images.device)
    colours = torch.where(stays[:, :, None, None], images[:, :COLOURS], noise)
    return torch.cat([colours, images[:, COLOURS:]], dim=1)
