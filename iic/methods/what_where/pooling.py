"""Pooling into "what" and "where", and its inverse."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import max_pool2d


def pooled(maps: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Maximum of each window, and its place.

    Args:
        maps: (N, C, s, s).
        side: Of the windows in pixels; it divides s.

    Returns:
        What (N, C, s / side, s / side), and where: places in the flattened map, of the same shape.
    """
    what, where = max_pool2d(maps, side, return_indices=True)
    return what, where


def unpooled(what: Tensor, where: Tensor, side: int) -> Tensor:
    """Maps in which each value is back where its maximum was, zeros elsewhere.

    torch's own `max_unpool2d` counts as not deterministic, since places might be equal; those of
    windows that do not overlap are not.

    Args:
        what: (N, C, s / side, s / side).
        where: As `pooled` gives it, of the same shape.
        side: Of the windows in pixels.
    """
    images, channels, height, width = what.shape
    empty = what.new_zeros(images, channels, height * width * side**2)
    maps = empty.scatter(2, where.flatten(2), what.flatten(2))
    return maps.view(images, channels, height * side, width * side)
