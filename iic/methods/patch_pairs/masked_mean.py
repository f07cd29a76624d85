"""Mean of a loss over the part of a batch that counts."""

from __future__ import annotations

from torch import Tensor


def masked_mean(losses: Tensor, kept: Tensor) -> Tensor:
    """Mean of the losses (n,) where `kept`, booleans (n,); 0, without a gradient, where none is."""
    return (losses * kept).sum() / kept.sum().clamp(min=1)
