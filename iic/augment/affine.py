"""Random affine map, bilinear, with black surroundings (docs/spec/images.md#finetuning)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iic.augment.batch import Rows, chance, per_image, uniform


@dataclass(frozen=True)
class AffineMaps(Rows):
    """One map per image, as torchvision names its parts; all of shape (N,)."""

    active: Tensor
    """bool: whether the image is warped at all."""
    angle: Tensor
    """Rotation in degrees."""
    shift_x: Tensor
    """Shift to the right in whole pixels."""
    shift_y: Tensor
    """Shift downwards in whole pixels."""
    scale: Tensor
    """Magnification."""
    shear: Tensor
    """Shear along the horizontal axis in degrees."""


def draw(
    count: int,
    size: int,
    generator: torch.Generator,
    *,
    probability: float,
    rotation_degrees: float,
    translate: float,
    scale: tuple[float, float],
    shear_degrees: float,
) -> AffineMaps:
    """Maps for `count` images.

    Args:
        count: Number of images.
        size: Side of the images in pixels.
        generator: Source of the random numbers.
        probability: Chance of an image to be warped.
        rotation_degrees: Rotation is uniform between minus and plus this.
        translate: Each shift is uniform up to this fraction of `size`, then rounded.
        scale: Bounds of the magnification, uniform between.
        shear_degrees: Shear is uniform between minus and plus this.
    """
    reach = translate * size
    return AffineMaps(
        active=chance(count, probability, generator),
        angle=uniform(count, -rotation_degrees, rotation_degrees, generator),
        shift_x=uniform(count, -reach, reach, generator).round_(),
        shift_y=uniform(count, -reach, reach, generator).round_(),
        scale=uniform(count, scale[0], scale[1], generator),
        shear=uniform(count, -shear_degrees, shear_degrees, generator),
    )


def apply(images: Tensor, maps: AffineMaps) -> Tensor:
    """Warp each image about its centre.

    A point p (from the centre, y downwards) goes to ``scale R(angle) S(shear) p + shift`` with
    ``S = [[1, -tan shear], [0, 1]]``.

    Args:
        images: float (N, C, H, W).
        maps: A map for each image.

    Returns:
        Same shape; images whose map is not active are unchanged.
    """
    height, width = images.shape[2:]
    turn = per_image(maps.angle * (math.pi / 180))[:, 0]
    tan = per_image(maps.shear * (math.pi / 180))[:, 0].tan()
    scale = per_image(maps.scale)[:, 0]
    cos, sin = turn.cos() / scale, turn.sin() / scale
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    x = x - per_image(maps.shift_x)[:, 0]
    y = y - per_image(maps.shift_y)[:, 0]
    # the inverse, R(-angle) then S(-shear), written out: a matrix product may lose digits to TF32
    from_y = cos * y - sin * x
    from_x = cos * x + sin * y + tan * from_y
    grid = torch.stack([from_x * (2 / width), from_y * (2 / height)], dim=3)
    warped = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
    return torch.where(per_image(maps.active), warped, images)
