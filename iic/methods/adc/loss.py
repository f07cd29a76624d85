"""Associations (Haeusser et al., GCPR 2018): walks from one set of points to another, and back."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy

LEAST = 1e-8
"""Added to each probability before its logarithm."""


class Association(NamedTuple):
    """The two losses of a walk, scalars in nats."""

    walker: Tensor
    """Cross-entropy of where walks from the first set end: at all points of their group alike."""
    visit: Tensor
    """Cross-entropy of where they have been: at all points of the second set alike."""


def association(points: Tensor, others: Tensor, groups: Tensor) -> Association:
    """Walks from `points` to `others` and back, by the softmax of their products.

    Args:
        points: (n, d).
        others: (m, d).
        groups: Group of each of `points`, (n,).
    """
    products = points @ others.T
    there, back = products.softmax(dim=1), products.T.softmax(dim=1)
    own = (groups[:, None] == groups).to(products.dtype)
    walker = cross_entropy((LEAST + there @ back).log(), own / own.sum(dim=1, keepdim=True))
    visited = there.mean(dim=0, keepdim=True)
    even = visited.new_full(visited.shape, 1 / len(others))
    return Association(walker, cross_entropy((LEAST + visited).log(), even))


def length_penalty(points: Tensor, length: float) -> Tensor:
    """Sum over points (n, d) of the square of their length minus `length`: scalar."""
    lengths: Tensor = points.norm(dim=1)
    return (lengths - length).square().sum()
