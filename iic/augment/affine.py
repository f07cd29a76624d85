"""Random affine map, bilinear, with black surroundings (docs/spec/images.md#finetuning)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iic.augment.batch import Rows, chance, per_image, uniform
from iic.params.augmentation import Affine


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


def draw(count: int, size: int, generator: torch.Generator, settings: Affine) -> AffineMaps:
    """Maps for `count` images, all parts uniform within the settings' bounds.

    Args:
        count: Number of images.
        size: Side of the images in pixels.
        generator: Source of the random numbers.
        settings: Bounds of each part, and the chance of an image to be warped.
    """
    reach = settings.translate * size
    rotation, shear = settings.rotation_degrees, settings.shear_degrees
    return AffineMaps(
        active=chance(count, settings.probability, generator),
        angle=uniform(count, -rotation, rotation, generator),
        shift_x=uniform(count, -reach, reach, generator).round_(),
        shift_y=uniform(count, -reach, reach, generator).round_(),
        scale=uniform(count, *settings.scale, generator),
        shear=uniform(count, -shear, shear, generator),
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
