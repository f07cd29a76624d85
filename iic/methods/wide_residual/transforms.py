"""What happens to a training image: a shift, mirroring, and a square of it cut out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from iic.augment import cutout
from iic.augment.batch import chance, integers, per_image
from iic.augment.crop_resize import crop


def shifted(
    images: Tensor, most: int, surroundings: Literal["black", "mirrored"], draw: torch.Generator
) -> Tensor:
    """Each image moved by up to `most` pixels along each axis, whole pixels all alike.

    Args:
        images: (N, C, s, s) in [0, 1].
        most: Below s.
        surroundings: What comes in from outside.
        draw: Source of random numbers on the images' device.
    """
    if not most:
        return images
    count, side = len(images), images.shape[-1]
    wider = pad(images, [most] * 4, mode="reflect" if surroundings == "mirrored" else "constant")
    top, left = (integers(count, 2 * most, draw) for _ in range(2))
    return crop(wider, top, left, side)


def mirrored(images: Tensor, probability: float, draw: torch.Generator) -> Tensor:
    """Each image mirrored left to right with this probability."""
    flips = chance(len(images), probability, draw)
    return torch.where(per_image(flips), images.flip(3), images)


def without_squares(images: Tensor, side: int, draw: torch.Generator) -> Tensor:
    """Each image 0 in a square around one of its pixels, as far as it lies in the image.

    Args:
        images: (N, C, s, s).
        side: Of the square; an odd one loses a pixel, as in the released code.
        draw: Source of random numbers on the images' device.
    """
    if not side:
        return images
    count, half = len(images), side // 2
    top, left = (integers(count, images.shape[-1] - 1, draw) - half for _ in range(2))
    return cutout.apply(images, cutout.Squares(torch.full_like(top, 2 * half), top, left))
