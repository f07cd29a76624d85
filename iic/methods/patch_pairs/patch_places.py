"""Where the two patches of a pair lie (docs/spec/baselines.md#patch-places).

Both methods draw a first centre at least one and a half patches away from the image's edges, then a
second centre relative to it. As in the released code a pair whose second patch would leave the
image is thrown away, and everything about it is drawn anew but whether an Isola pair is adjacent;
so the patches always lie inside, and directions and distances that leave it more often are a little
rarer.

Positions are drawn on the CPU, whatever the training's device: they decide what is drawn next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 10_000
"""Draws after which a geometry counts as impossible; settings are checked before."""


class PatchPairs(NamedTuple):
    """Two patches an image and what the network has to say about them, n rows each."""

    centre: Tensor
    """Row and column of the first patch's centre, (n, 2) int64."""
    other: Tensor
    """Of the second patch's, (n, 2) int64."""
    target: Tensor
    """Doersch: the direction's class. Isola: 1 where the patches are adjacent. (n,) int64."""


Drawn = tuple[Tensor, Tensor, Tensor]
"""First centres (m, 2), offsets to the second (m, 2), targets (m,)."""


def context_pairs(
    count: int, *, size: int, side: int, directions: int, generator: torch.Generator
) -> PatchPairs:
    """Pairs whose direction is to be told, in steps of 45 degrees from "to the right".

    The distance of the centres is uniform on one and a half to two patch sides.

    Args:
        count: Pairs.
        size: Side of the image.
        side: Side of a patch, odd.
        directions: Classes: 8, or 9, of which the last is the first once more, at 360 degrees.
        generator: On the CPU.
    """

    def draw(number: int) -> Drawn:
        target = _integers(number, directions, generator)
        angle = target * (math.pi / 4)
        radius = side * (1.5 + 0.5 * _random(number, generator))
        return _first_centres(number, size, side, generator), _polar(radius, angle), target

    return _inside(count, size, side, draw)


def neighbour_pairs(
    count: int, *, size: int, side: int, positive: float, generator: torch.Generator
) -> PatchPairs:
    """Pairs of diagonally adjacent patches, and of patches far from each other.

    The second centre of an adjacent pair is one patch side away in both directions; of the others
    it lies in any direction, at a distance uniform on two patch sides to the image's side.

    Args:
        count: Pairs.
        size: Side of the image.
        side: Side of a patch, odd.
        positive: Probability of an adjacent pair.
        generator: On the CPU.
    """
    adjacent = _random(count, generator) < positive

    def near(number: int) -> Drawn:
        signs = 2 * _integers(2 * number, 2, generator).view(number, 2) - 1
        centres = _first_centres(number, size, side, generator)
        return centres, (signs * side).double(), torch.ones(number, dtype=torch.int64)

    def far(number: int) -> Drawn:
        radius = 2 * side + (size - 2 * side) * _random(number, generator)
        angle = 2 * math.pi * _random(number, generator)
        centres = _first_centres(number, size, side, generator)
        return centres, _polar(radius, angle), torch.zeros(number, dtype=torch.int64)

    of_near, of_far = (_inside(count, size, side, draw) for draw in (near, far))
    pairs = zip(of_near, of_far, strict=True)
    return PatchPairs(
        *(torch.where(adjacent if a.ndim == 1 else adjacent[:, None], a, b) for a, b in pairs)
    )


def _inside(count: int, size: int, side: int, draw: Callable[[int], Drawn]) -> PatchPairs:
    """The first pair that fits into the image, for each of `count`."""
    border = side // 2
    pairs = PatchPairs(
        torch.zeros(count, 2, dtype=torch.int64),
        torch.zeros(count, 2, dtype=torch.int64),
        torch.zeros(count, dtype=torch.int64),
    )
    missing = torch.arange(count)
    for _ in range(ROUNDS):
        centre, offset, target = draw(len(missing))
        other = (centre + offset).floor().long()
        fits = ((other >= border) & (other < size - border)).all(dim=1)
        for kept, drawn in zip(pairs, (centre, other, target), strict=True):
            kept[missing[fits]] = drawn[fits]
        missing = missing[~fits]
        if not len(missing):
            return pairs
    raise ValueError(f"no two patches of side {side} fit into an image of side {size}")


def _first_centres(count: int, size: int, side: int, generator: torch.Generator) -> Tensor:
    """Centres at least one and a half patches away from the edges, (count, 2)."""
    share = _random(2 * count, generator).view(count, 2)
    return (share * (size - 3 * side) + 1.5 * side).floor().long()


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    """Rows and columns of offsets, (n, 2); angle 0 points along the columns."""
    return torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1)


def _random(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, dtype=torch.float64, generator=generator)


def _integers(count: int, below: int, generator: torch.Generator) -> Tensor:
    return torch.randint(below, (count,), generator=generator)
