"""The Jensen-Shannon estimator of mutual information between local and global features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def local_loss(places: Tensor, vectors: Tensor) -> Tensor:
    """E[softplus(score)] of features of two images - E[-softplus(-score)] of those of one: scalar.

    A score is the product of a local and a global feature. Both means are over all places; the
    first is over all pairs of different images of the batch. Scores of 0 give 2 log 2.

    Args:
        places: Local features, (n, d, places).
        vectors: Global features, (n, d), n at least 2.
    """
    count = len(vectors)
    scores = torch.einsum("gd,ldp->glp", vectors, places)
    own = torch.eye(count, device=scores.device)[:, :, None]
    each = own * softplus(-scores) / count + (1 - own) * softplus(scores) / (count * (count - 1))
    return each.sum() / places.shape[2]
