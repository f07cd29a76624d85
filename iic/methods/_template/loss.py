"""Loss of the template: an image stays in its cluster, and clusters stay of one size."""

from __future__ import annotations

import torch
from torch import Tensor


def agreement_loss(first: Tensor, second: Tensor, evenness: float) -> Tensor:
    """-mean log <p, q> - evenness * H(mean p), in nats: a scalar.

    It is at least -evenness * log k: where each image and its transform are certain of the same
    cluster, and all clusters are of one size.

    Args:
        first: Cluster probabilities p of images, (n, k).
        second: Those q of their transforms, (n, k).
        evenness: Weight of the entropy.
    """
    smallest = torch.finfo(first.dtype).tiny
    same = (first * second).sum(dim=1).clamp(min=smallest)
    sizes = first.mean(dim=0).clamp(min=smallest)
    return -same.log().mean() + evenness * (sizes * sizes.log()).sum()
