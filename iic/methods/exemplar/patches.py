"""Patches that are classes: where they lie, and their random transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from iic.augment.batch import per_image, uniform
from iic.methods.exemplar.colours import Palette, stretched, to_hsv, to_rgb
from iic.methods.exemplar.settings import PatchSettings


class Places(NamedTuple):
    """Where a patch of each image lies, in pixels; float32, (N,) each."""

    row: Tensor
    """Of its middle."""
    column: Tensor
    side: Tensor


def energies(image: NDArray[np.uint8], side: int) -> Tensor:
    """Mean squared gradient of the grey image in each window, (s - side + 1, s - side + 1) float64.

    Args:
        image: (3, s, s).
        side: Of the windows.
    """
    grey = torch.from_numpy(image.astype(np.float64)).mean(0) / 255
    down, right = torch.gradient(grey)
    return avg_pool2d((down**2 + right**2)[None, None], side, stride=1)[0, 0]


def places(images: NDArray[np.uint8], sides: Sequence[int], draw: torch.Generator) -> Places:
    """One patch of each image, the more probable the larger its gradients.

    Args:
        images: (N, 3, s, s).
        sides: Sides of patches, all equally probable, at most s.
        draw: Source of random numbers, on the CPU.
    """
    chosen = torch.randint(len(sides), (len(images),), generator=draw).tolist()
    found = []
    for image, number in zip(images, chosen, strict=True):
        side = sides[number]
        windows = energies(image, side)
        # an image without any gradient has windows all alike
        weights = windows.flatten() + torch.finfo(torch.float64).tiny
        place = int(torch.multinomial(weights / weights.sum(), 1, generator=draw))
        top, left = divmod(place, windows.shape[1])
        found.append((top + side / 2, left + side / 2, float(side)))
    return Places(*torch.tensor(found, dtype=torch.float32).T.contiguous())


def cut(
    images: Tensor,
    where: Places,
    size: int,
    settings: PatchSettings,
    draw: torch.Generator,
) -> Tensor:
    """Patches, moved, turned and magnified at random, (N, 3, size, size).

    Args:
        images: float in [0, 1], (N, 3, s, s); what lies outside is mirrored.
        where: On the images' device.
        size: Side of the patches that come out.
        settings: Bounds.
        draw: Source of random numbers on that device.
    """
    count, extent = len(images), images.shape[-1]
    shifts = [uniform(count, -settings.shift, settings.shift, draw) for _ in range(2)]
    exponent = uniform(count, -settings.magnification, settings.magnification, draw)
    turn = settings.rotation_degrees * math.pi / 180
    angle = uniform(count, -turn, turn, draw).view(-1, 1, 1)
    # a magnified patch shows less of the image
    half = (where.side / 2 * torch.exp2(-exponent)).view(-1, 1, 1)
    line = (2 * torch.arange(size, device=images.device) + 1) / size - 1
    x, y = line.view(1, 1, -1), line.view(1, -1, 1)
    columns = (where.column + shifts[0] * where.side).view(-1, 1, 1)
    rows = (where.row + shifts[1] * where.side).view(-1, 1, 1)
    cos, sin = angle.cos(), angle.sin()
    grid = torch.stack(
        [columns + half * (cos * x - sin * y), rows + half * (sin * x + cos * y)], dim=3
    )
    return grid_sample(
        images, grid * (2 / extent) - 1, padding_mode="reflection", align_corners=False
    )


def recoloured(
    patches: Tensor, colours: Palette, settings: PatchSettings, draw: torch.Generator
) -> Tensor:
    """Patches with other colours, alike in all their pixels.

    Args:
        patches: In [0, 1], (N, 3, s, s).
        colours: Of the images, on their device.
        settings: Bounds.
        draw: Source of random numbers on that device.
    """
    count = len(patches)
    normal = torch.randn(count, 3, generator=draw, device=draw.device)
    factors = torch.exp2(settings.colour_deviation * normal)
    hue, *others = to_hsv(stretched(patches, colours, factors).clamp(0, 1)).unbind(1)
    changed = [hue + per_image(uniform(count, -settings.hue, settings.hue, draw))[:, 0]]
    for values in others:
        power, factor = (
            torch.exp2(uniform(count, -most, most, draw)).view(-1, 1, 1)
            for most in (settings.power, settings.factor)
        )
        added = uniform(count, -settings.added, settings.added, draw).view(-1, 1, 1)
        changed.append((values**power * factor + added).clamp(0, 1))
    return to_rgb(torch.stack(changed, dim=1))
