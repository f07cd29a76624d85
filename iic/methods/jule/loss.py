"""The weighted triplet loss of JULE (Yang, Parikh and Batra, CVPR 2016), and its triplets."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Triplets(NamedTuple):
    """Positions in a batch, (T,) int64 each."""

    anchors: Tensor
    positives: Tensor
    """Of the anchors' clusters."""
    negatives: Tensor
    """Of other clusters."""


def triplets(clusters: Tensor, most: int) -> Triplets:
    """Each pair of images of one cluster, with random images of other clusters.

    Chance comes from torch's global generator.

    Args:
        clusters: Cluster of each image of a batch, (N,), on the host.
        most: Negatives of a pair, all different; with fewer other clusters, as many as there are.
    """
    same = clusters[:, None] == clusters
    anchors, positives = same.triu(diagonal=1).nonzero(as_tuple=True)
    count = min(most, len(torch.unique(clusters)) - 1)
    keys = torch.rand(len(anchors), len(clusters)).masked_fill(same[anchors], 2.0)
    negatives = keys.argsort(dim=1)[:, :count].flatten()
    return Triplets(anchors.repeat_interleave(count), positives.repeat_interleave(count), negatives)


def triplet_loss(features: Tensor, chosen: Triplets, *, margin: float, weight: float) -> Tensor:
    """Mean of max(0, weight |a - p|^2 - |a - n|^2 + margin) over triplets, scalar; 0 without any.

    Args:
        features: (N, d).
        chosen: Positions in it, on the features' device.
        margin: By which a negative shall be farther away.
        weight: Of the squared distance to the positive.
    """
    anchors = features[chosen.anchors]
    near = (anchors - features[chosen.positives]).square().sum(dim=1)
    far = (anchors - features[chosen.negatives]).square().sum(dim=1)
    return (weight * near - far + margin).clamp(min=0).sum() / max(1, len(near))
