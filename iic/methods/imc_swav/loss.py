"""What IMC-SwAV minimises (docs/spec/imc_swav.md#losses): swapped codes, information, a penalty."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softmax

SMALLEST_PROBABILITY = 1e-17
"""Bound of the swap's logarithm from below, as in the released code."""


def codes(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Soft codes of a batch that use all prototypes alike: Sinkhorn, without gradient.

    The released code scales columns to a negative mass. The sign cancels in its last step, so it is
    left out here.

    Args:
        scores: Cosines of images and prototypes, (B, K).
        epsilon: Their temperature.
        iterations: Scalings of rows and columns.

    Returns:
        (B, K), each row of sum 1.
    """
    with torch.no_grad():
        # a factor on all entries has no effect, and so none of them overflows
        plan = torch.exp((scores.float() - scores.max()) / epsilon).T
        smallest = torch.finfo(plan.dtype).tiny
        for _ in range(iterations):
            plan = plan / plan.sum(dim=1, keepdim=True).clamp(min=smallest) / plan.shape[0]
            plan = plan / plan.sum(dim=0, keepdim=True).clamp(min=smallest) / plan.shape[1]
        return (plan / plan.sum(dim=0, keepdim=True).clamp(min=smallest)).T


def swap_loss(
    scores: Sequence[Tensor], large: int, *, temperature: float, epsilon: float, iterations: int
) -> Tensor:
    """Each crop predicts the codes of every other large crop of its image, in nats: a scalar.

    Args:
        scores: Cosines with the prototypes, (B, K) for each crop; the first `large` give codes.
        large: Number of large crops.
        temperature: Of the predictions.
        epsilon: Temperature of the codes.
        iterations: Of Sinkhorn.
    """
    logs = [
        softmax(view / temperature, dim=1).clamp(min=SMALLEST_PROBABILITY).log() for view in scores
    ]
    terms = []
    for position in range(large):
        code = codes(scores[position], epsilon, iterations)
        terms += [
            -(code * log).sum(dim=1).mean() for other, log in enumerate(logs) if other != position
        ]
    return torch.stack(terms).mean()


def information_loss(clusters: Tensor, prototypes: Tensor, entropy_weight: float) -> Tensor:
    """H(Y|U) - b H(Y), in nats, mean over all pairs of a view of Y and one of U: a scalar.

    It is -I(Y;U) - (b - 1) H(Y). Empty cells of the joint distribution count nothing, where the
    released code has NaN.

    Args:
        clusters: Probabilities of clusters Y, (T, B, k).
        prototypes: Probabilities of prototypes U of the same images, (T, B, K).
        entropy_weight: b.
    """
    joint = torch.einsum("ibk,jbm->ijkm", clusters, prototypes)
    joint = joint / joint.sum(dim=(2, 3), keepdim=True)
    smallest = torch.finfo(joint.dtype).tiny
    of_clusters, of_prototypes = joint.sum(dim=3), joint.sum(dim=2, keepdim=True)
    ratio = joint.clamp(min=smallest).log() - of_prototypes.clamp(min=smallest).log()
    conditional = -(joint * ratio).sum(dim=(2, 3))
    entropy = -(of_clusters * of_clusters.clamp(min=smallest).log()).sum(dim=2)
    return (conditional - entropy_weight * entropy).mean()


def logit_penalty(logits: Tensor, bound: float) -> Tensor:
    """Mean over images and views of what absolute logits (T, B, k) have above `bound`: a scalar."""
    return (logits.abs() - bound).relu().sum(dim=2).mean()
