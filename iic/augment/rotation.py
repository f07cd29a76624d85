"""Rotation about the image's centre: nearest pixel, black outside, same size."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from iic.augment.batch import chance, per_image, uniform


def draw(count: int, degrees: float, probability: float, generator: torch.Generator) -> Tensor:
    """Angle of each image in degrees, (count,); 0 for those left as they are.

    Args:
        count: Number of images.
        degrees: Angles are uniform between minus and plus this.
        probability: Chance of an image to be rotated.
        generator: Source of the random numbers.
    """
    angles = uniform(count, -degrees, degrees, generator)
    return angles * chance(count, probability, generator)


def apply(images: Tensor, angles: Tensor) -> Tensor:
    """Rotate each image counter-clockwise.

    Args:
        images: (N, C, H, W), any dtype.
        angles: Degrees, (N,).

    Returns:
        Same shape and dtype. Each output pixel is the input pixel nearest to its origin, or 0
        where the origin lies outside; an angle of 0 changes nothing.
    """
    channels, height, width = images.shape[1:]
    radians = per_image(angles.float() * (math.pi / 180))[:, 0]
    cos, sin = radians.cos(), radians.sin()
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    # a frame of one black pixel takes all origins outside; it moves coordinates by one
    from_x = (cos * x).add((width + 1) / 2 - sin * y).round_().clamp_(0, width + 1)
    from_y = (sin * x).add((height + 1) / 2 + cos * y).round_().clamp_(0, height + 1)
    origin = from_y.mul_(width + 2).add_(from_x).long().flatten(1)[:, None]
    framed = F.pad(images, (1, 1, 1, 1)).flatten(2)
    return framed.gather(2, origin.expand(-1, channels, -1)).view_as(images)
