"""The clustering objective: mutual information between the clusters of paired images.

Paper, section 3.1 and equations 1 to 3; the entropy coefficient is that of the supplement,
section 5. Figure 4 of the paper is the listing of `joint` and `mutual_information`.

All sub-heads are computed at once, and each unique original is seen once: since the joint is
bilinear, an original that is paired with r transformed versions of itself contributes its own
output times the *sum* of the r transformed outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 2.220446049250313e-16
"""Floor of probabilities under a logarithm: the machine epsilon of float64."""


def joint(z: Tensor, z_transformed: Tensor) -> Tensor:
    """Joint distribution of the clusters of both images of a pair (equation 2), symmetrised.

    Args:
        z: Probabilities of the U unique originals, (U, H, k) for H sub-heads and k clusters.
        z_transformed: Probabilities of their transformed versions, summed over the r repeats,
            (U, H, k). The sum over an original's repeats and clusters is thus r.

    Returns:
        P, (H, k, k): symmetric, each (k, k) matrix sums to 1. At least float32, autocast or not.

    Raises:
        ValueError: The inputs are not of one shape (U, H, k) with U at least 1.
    """
    if z.ndim != 3 or z.shape != z_transformed.shape or z.shape[0] == 0:
        raise ValueError(
            "z and z_transformed must both be (originals, sub-heads, clusters) and not empty: "
            f"got {tuple(z.shape)} and {tuple(z_transformed.shape)}; sum over the repeats first"
        )
    with torch.autocast(z.device.type, enabled=False):
        P = torch.einsum("uhi,uhj->hij", _full(z), _full(z_transformed))
        P = (P + P.mT) / 2
        return P / P.sum(dim=(1, 2), keepdim=True)


def mutual_information(P: Tensor, lam: float = 1.0) -> Tensor:
    """Mutual information of each joint distribution, in nats (equation 3).

    With an entropy coefficient `lam` above 1 the entropies of both marginals weigh more:
    I + (lam - 1) * (H(z) + H(z')), which is at most (2 * lam - 1) * ln k.

    Args:
        P: Joint distributions, (H, k, k), each summing to 1.
        lam: Entropy coefficient, lambda in the supplement.

    Returns:
        (H,) values.
    """
    P_row = P.sum(dim=2, keepdim=True).clamp(min=EPS)
    P_column = P.sum(dim=1, keepdim=True).clamp(min=EPS)
    P = P.clamp(min=EPS)
    return (P * (P.log() - lam * P_row.log() - lam * P_column.log())).sum(dim=(1, 2))


def clustering_loss(z: Tensor, z_transformed: Tensor, lam: float = 1.0) -> Tensor:
    """Loss of each sub-head: minus the mutual information of a batch of pairs.

    Args:
        z: Probabilities of the U unique originals, (U, H, k).
        z_transformed: Probabilities of their transformed versions, summed over the r repeats,
            (U, H, k).
        lam: Entropy coefficient; 1 is plain mutual information.

    Returns:
        (H,) losses, to be averaged over the sub-heads by the caller; none is below
        -(2 * lam - 1) * ln k. They are float32, or float64 where the inputs are.

    Raises:
        ValueError: The inputs are not of one shape (U, H, k) with U at least 1.
    """
    return -mutual_information(joint(z, z_transformed), lam)


def _full(z: Tensor) -> Tensor:
    return z.to(torch.promote_types(z.dtype, torch.float32))
