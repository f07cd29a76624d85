"""Sobel gradients of a grey image (docs/spec/images.md#colour-images)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sobel(images: Tensor) -> Tensor:
    """Horizontal and vertical gradient.

    Cross-correlation with [[1,0,-1],[2,0,-2],[1,0,-1]] and [[1,2,1],[0,0,0],[-1,-2,-1]] after a
    frame of one zero, which gives the strong edges on the image's frame that the paper's runs saw.
    The kernels are outer products of (1,2,1) and (1,0,-1), so slices are added instead: exact
    float32 on every device, where convolutions may be rounded to TF32.

    Args:
        images: float (N, 1, H, W) in [0, 1].

    Returns:
        (N, 2, H, W) in [-4, 4]: positive where the image darkens to the right, and downwards.
    """
    framed = F.pad(images, (1, 1, 1, 1))
    columns = _smooth(framed, 2)
    rows = _smooth(framed, 3)
    horizontal = columns[..., :-2] - columns[..., 2:]
    vertical = rows[..., :-2, :] - rows[..., 2:, :]
    return torch.cat([horizontal, vertical], dim=1)


def _smooth(images: Tensor, axis: int) -> Tensor:
    """(1, 2, 1) along an axis, which loses two pixels."""
    length = images.shape[axis] - 2
    before, here, after = (images.narrow(axis, start, length) for start in range(3))
    return (before + after).add_(here, alpha=2)
