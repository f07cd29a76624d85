"""Loss of the baseline "Triplets": like the transformed image, unlike another one.

Table 1 cites Schultz and Joachims (NIPS 2003); the loss is that of the released code, which the
paper does not print.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def triplet_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float | None = None
) -> Tensor:
    """KL(positive || anchor) - KL(negative || anchor) of the softmax of the outputs.

    The mean over all n k elements, as released, so 1/k of the mean over the images. Without a
    margin there is no lower bound: the anchor may move away from the negative for ever.

    Args:
        anchor: Outputs (n, k) for the images, before any softmax.
        positive: Those for their random transforms.
        negative: Those for other images.
        margin: In nats: a triplet whose second divergence exceeds the first by so much counts as
            satisfied (hinge), and the loss is raised by margin / k so that its bound is 0.

    Returns:
        The loss, a scalar; float32, or float64 for outputs in float64.
    """
    wide = torch.promote_types(anchor.dtype, torch.float32)
    of_anchor, of_positive, of_negative = (
        log_softmax(outputs.to(wide), dim=1) for outputs in (anchor, positive, negative)
    )
    difference = _divergence(of_positive, of_anchor) - _divergence(of_negative, of_anchor)
    if margin is not None:
        difference = (difference + margin).clamp(min=0)
    return difference.mean() / anchor.shape[1]


def _divergence(first: Tensor, second: Tensor) -> Tensor:
    """KL(first || second) of log-probabilities (n, k), in nats, (n,)."""
    return (first.exp() * (first - second)).sum(dim=1)
