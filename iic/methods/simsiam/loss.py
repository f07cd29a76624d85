"""Loss of SimSiam (Chen and He, CVPR 2021, equations 1 and 2)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity


def siamese_loss(predictions: tuple[Tensor, Tensor], projections: tuple[Tensor, Tensor]) -> Tensor:
    """Minus the mean cosine of each crop's prediction and the other's projection: a scalar.

    It is between -1 and 1; projections are targets, without gradient.

    Args:
        predictions: Of two crops of the same images, (B, d) each.
        projections: Of the same two crops, (B, d) each.
    """
    first, second = predictions
    there, here = (projection.detach() for projection in projections)
    cosines = cosine_similarity(first, here, dim=1) + cosine_similarity(second, there, dim=1)
    return -cosines.mean() / 2
