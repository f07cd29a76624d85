"""Random windows of any shape, resized to a square: torchvision's RandomResizedCrop, batched.

As in `iic.augment.crop_resize`, resizing is antialiased bilinear interpolation and two matrix
products. Here each image has weights of its own, computed from its window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment.batch import Rows, unit_range

ATTEMPTS = 10
"""Windows that are drawn before the central one is taken, as in torchvision."""


@dataclass(frozen=True)
class Rectangles(Rows):
    """Where each image is cropped; all fields have shape (N,) and dtype int64."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def draw(
    count: int,
    height: int,
    width: int,
    generator: torch.Generator,
    *,
    area: tuple[float, float],
    ratio: tuple[float, float],
) -> Rectangles:
    """Windows of `count` images of `height` x `width` pixels.

    Of ten attempts the first that fits into the image is taken. Where none does, it is the largest
    central window of an allowed ratio.

    Args:
        count: Number of images N.
        height: Rows of the images.
        width: Columns of the images.
        generator: Source of the random numbers.
        area: Smallest and largest share of the image's area, uniform between.
        ratio: Smallest and largest width by height, its logarithm uniform between.
    """
    device = generator.device
    areas, ratios, down, across = torch.rand(4, count, ATTEMPTS, generator=generator, device=device)
    pixels = areas.mul_(area[1] - area[0]).add_(area[0]) * (height * width)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    shapes = ratios.mul_(high - low).add_(low).exp_()
    widths = (pixels * shapes).sqrt_().round_().long()
    heights = (pixels / shapes).sqrt_().round_().long()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.long().argmax(dim=1, keepdim=True)
    fallback_height, fallback_width = _central(height, width, ratio)
    fitting = fits.any(dim=1)
    heights = heights.gather(1, first)[:, 0].where(fitting, fallback_height)
    widths = widths.gather(1, first)[:, 0].where(fitting, fallback_width)
    # the product may round up to the bound itself
    tops = (down[:, 0] * (height - heights + 1)).long().minimum(height - heights)
    lefts = (across[:, 0] * (width - widths + 1)).long().minimum(width - widths)
    tops = tops.where(fitting, (height - fallback_height) // 2)
    lefts = lefts.where(fitting, (width - fallback_width) // 2)
    return Rectangles(tops, lefts, heights, widths)


def apply(images: Tensor, rectangles: Rectangles, size: int) -> Tensor:
    """Crop and resize.

    Args:
        images: (N, C, H, W), uint8 or float in [0, 1].
        rectangles: A window for each image.
        size: Side of the result in pixels.

    Returns:
        float32 in [0, 1], (N, C, size, size).
    """
    pixels = unit_range(images)
    rows = _weights(rectangles.top, rectangles.height, pixels.shape[2], size)
    columns = _weights(rectangles.left, rectangles.width, pixels.shape[3], size)
    resized = rows[:, None] @ pixels @ columns.transpose(1, 2)[:, None]
    return resized.clamp_(0, 1)


def _central(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int]:
    """Height and width of the largest window of an allowed ratio."""
    if width / height < ratio[0]:
        return round(width / ratio[0]), width
    if width / height > ratio[1]:
        return height, round(height * ratio[1])
    return height, width


def _weights(start: Tensor, length: Tensor, extent: int, size: int) -> Tensor:
    """Weights along one axis, (N, size, extent): `crop_resize.resize_weights` in each window."""
    device = start.device
    scale = (length / size)[:, None, None]
    positions = torch.arange(size, device=device)[:, None] + 0.5
    centres = positions * scale
    pixels = torch.arange(extent, device=device) - start[:, None, None] + 0.5
    weights = (1 - (pixels - centres).abs() / scale.clamp(min=1)).clamp_(min=0)
    inside = (pixels > 0) & (pixels < length[:, None, None])
    weights = weights * inside
    return weights / weights.sum(dim=2, keepdim=True)
