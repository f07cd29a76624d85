"""Random black square inside the image (docs/spec/images.md#finetuning).

As the released code draws it: a side and a centre, and black from half a side before the centre to
half a side after it, halves rounded down. So sides are even, and no square reaches the last row or
column.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment.batch import Rows, chance, integers


@dataclass(frozen=True)
class Squares(Rows):
    """One square per image, in pixels; all of shape (N,) and dtype int64."""

    side: Tensor
    """Side of the square, 0 where nothing is cut out."""
    top: Tensor
    """First row."""
    left: Tensor
    """First column."""


def draw(
    count: int, size: int, generator: torch.Generator, *, probability: float, side: tuple[int, int]
) -> Squares:
    """Squares for `count` images.

    Args:
        count: Number of images.
        size: Side of the images.
        generator: Source of the random numbers.
        probability: Chance of an image to lose a square.
        side: Smallest and largest side, both included; all equally likely before odd ones lose a
            pixel.

    Raises:
        ValueError: The largest square does not fit into the image.
    """
    low, high = side
    if high > size:
        raise ValueError(f"a square of side {high} does not fit into images of side {size}")
    sides = (integers(count, high - low, generator) + low) // 2 * 2
    # one place alone where the square is as large as the image
    last = (size - 1 - sides).clamp(min=0)
    top = integers(count, last, generator)
    left = integers(count, last, generator)
    return Squares(sides * chance(count, probability, generator), top, left)


def apply(images: Tensor, squares: Squares) -> Tensor:
    """Blacken each image's square in all channels.

    Args:
        images: (N, C, H, W).
        squares: A square for each image.

    Returns:
        Same shape.
    """
    height, width = images.shape[2:]
    rows = _inside(squares.top, squares.side, height)
    columns = _inside(squares.left, squares.side, width)
    square = rows[:, None, :, None] & columns[:, None, None, :]
    return images.masked_fill(square, 0)


def _inside(start: Tensor, length: Tensor, extent: int) -> Tensor:
    """Whether each position along an axis lies in the square, (N, extent)."""
    position = torch.arange(extent, device=start.device)
    return (position >= start[:, None]) & (position < (start + length)[:, None])
