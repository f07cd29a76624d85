"""What the tests of the transforms share."""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 1 / 255


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(count: int, channels: int, size: int, seed: int = 0) -> Tensor:
    """Random uint8 images with smooth and rough parts, saturated pixels among them."""
    generator = seeded(seed)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic")
    rough = torch.rand(count, channels, size, size, generator=generator)
    return ((1.4 * smooth + 0.3 * rough - 0.35).clamp(0, 1) * 255).round().to(torch.uint8)
