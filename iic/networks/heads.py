"""Heads: h independently initialised sub-heads, computed as one matrix product."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WEIGHT_STD = 0.01


class SubHeads(nn.Module):
    """h linear classifiers of k clusters each on the same features.

    One Linear(features, h * k) holds them all; rows i * k to (i + 1) * k are sub-head i.

    Args:
        features: Length of a feature vector.
        sub_heads: Number h of sub-heads.
        k: Clusters of each sub-head.
        deviation: Standard deviation of the initial weights.
    """

    def __init__(
        self, features: int, sub_heads: int, k: int, deviation: float = WEIGHT_STD
    ) -> None:
        super().__init__()
        self.sub_heads = sub_heads
        self.k = k
        self.linear = nn.Linear(features, sub_heads * k)
        nn.init.normal_(self.linear.weight, mean=0.0, std=deviation)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, h, k) of features (N, d)."""
        logits: Tensor = self.linear(features)
        return logits.reshape(-1, self.sub_heads, self.k)


def logits_of(head: nn.Module, features: Tensor, precise: bool) -> Tensor:
    """Logits of a head: under autocast in its precision, or `precise`, in that of the weights.

    The sub-heads of a run may differ by less in loss than bfloat16 resolves in a logit.
    """
    device = features.device.type
    if precise and torch.amp.is_autocast_available(device):
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        with torch.autocast(device, enabled=False):
            logits: Tensor = head(features)
            return logits
    logits = head(features)
    return logits
