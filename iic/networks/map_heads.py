"""Heads on maps: h independently initialised sub-heads, computed as one 1x1 convolution."""

from __future__ import annotations

from torch import Tensor, nn

from iic.networks.layers import initialise


class MapHeads(nn.Module):
    """h linear classifiers of k clusters each, without bias, on every position of a map.

    One convolution to h * k channels holds them all; channels i * k to (i + 1) * k are sub-head i.

    Args:
        features: Channels of the map.
        sub_heads: Number h of sub-heads.
        k: Clusters of each sub-head.
        padding: Zeros around the map. 1 as published, though the kernel is 1x1: the logits of the
            added frame are all 0 and its probabilities uniform
            (docs/spec/released_code.md#head-padding). 0: no frame.
    """

    def __init__(self, features: int, sub_heads: int, k: int, padding: int) -> None:
        super().__init__()
        self.sub_heads = sub_heads
        self.k = k
        self.convolution = nn.Conv2d(features, sub_heads * k, 1, padding=padding, bias=False)
        initialise(self, "fan_in")

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, h, k, H + 2 * padding, W + 2 * padding) of features (N, d, H, W)."""
        logits: Tensor = self.convolution(features)
        return logits.reshape(-1, self.sub_heads, self.k, *logits.shape[-2:])
