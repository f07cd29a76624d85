"""Pairwise classification (Chang et al., ICCV 2017): are two images of one cluster?"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy, normalize

LEAST = 1e-7
"""Smaller probabilities count as this one: Keras's bound, under which the logarithm ends."""


class PairLabels(NamedTuple):
    """Labels of the pairs of a batch, two booleans a pair; a pair with neither has none."""

    alike: Tensor
    """(N, N)."""
    unlike: Tensor
    """(N, N)."""


def similarities(outputs: Tensor) -> Tensor:
    """Cosines of the outputs of all pairs, (N, N), in [0, 1] for outputs (N, k) of at least 0."""
    directions = normalize(outputs, dim=1)
    return directions @ directions.T


def pair_labels(values: Tensor, upper: Tensor | float, lower: Tensor | float) -> PairLabels:
    """A pair is alike from the upper threshold on, and unlike below the lower one.

    Args:
        values: Similarities, (N, N).
        upper: The larger threshold.
        lower: The smaller one; the same as `upper` leaves no pair without a label.
    """
    return PairLabels(values >= upper, values < lower)


def pair_entropy(values: Tensor, labels: PairLabels) -> Tensor:
    """Binary cross-entropy of the labels, in nats, scalar: the sum over labelled pairs by N^2.

    Args:
        values: Similarities, (N, N), each the probability that a pair is alike.
        labels: Of the same shape; pairs without a label add nothing, and have no gradient.
    """
    alike = values.where(labels.alike, 1).clamp(min=LEAST).log()
    unlike = (1 - values).where(labels.unlike, 1).clamp(min=LEAST).log()
    return -(alike + unlike).mean()


def pair_square(values: Tensor, labels: PairLabels) -> Tensor:
    """Mean square of similarity minus label over labelled pairs, by N^2 as well: scalar."""
    labelled = labels.alike | labels.unlike
    return (values - labels.alike.to(values.dtype)).where(labelled, 0).square().mean()


def own_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy between each number of the outputs and its target, mean: scalar.

    Args:
        outputs: In [0, 1], (N, k).
        targets: Of the same shape, without gradient.
    """
    return binary_cross_entropy(outputs.clamp(LEAST, 1 - LEAST), targets)
