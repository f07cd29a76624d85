"""Luma of an RGB image (ITU-R 601, as PIL and torchvision)."""

from __future__ import annotations

from torch import Tensor

# torchvision writes 0.2989 for the first; PIL, which the released code uses, has 0.299
RED, GREEN, BLUE = 0.299, 0.587, 0.114


def greyscale(images: Tensor) -> Tensor:
    """Grey image of each RGB image.

    Args:
        images: float (N, 3, H, W).

    Returns:
        (N, 1, H, W).
    """
    grey = images[:, 0:1] * RED
    return grey.add_(images[:, 1:2], alpha=GREEN).add_(images[:, 2:3], alpha=BLUE)
