"""A trunk with its heads: the two-head form of IIC, or the single-head form of IIC*."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iic.networks.heads import SubHeads, logits_of


class ClusteringNetwork(nn.Module):
    """A shared trunk and named heads, of which each forward pass uses one.

    In the two-head form, ``A`` is the overclustering head and ``B`` the main one (paper, section
    3.2); with a single head its name may be left out of `forward`.

    Args:
        trunk: Maps images to features (N, d).
        heads: Heads by name, each on d features.
        precise_heads: Whether heads are float32 under autocast too.
    """

    def __init__(
        self, trunk: nn.Module, heads: Mapping[str, SubHeads], precise_heads: bool = True
    ) -> None:
        super().__init__()
        if not heads:
            raise ValueError("a network needs at least one head")
        self.trunk = trunk
        self.precise_heads = precise_heads
        self.heads = nn.ModuleDict(heads)

    def head(self, name: str | None = None) -> SubHeads:
        """The head of that name, or the only one.

        Raises:
            ValueError: There is no such head, or no name was given and there are several.
        """
        if name is None and len(self.heads) == 1:
            name = next(iter(self.heads))
        if name is None or name not in self.heads:
            raise ValueError(f"no head {name!r}: this network has {', '.join(self.heads)}")
        head = self.heads[name]
        assert isinstance(head, SubHeads)
        return head

    def features(self, x: Tensor) -> Tensor:
        """The trunk's features (N, d) of images (N, channels, s, s)."""
        features: Tensor = self.trunk(x)
        return features

    def assign(self, features: Tensor, head: str | None = None) -> Tensor:
        """Cluster probabilities (N, h, k) of features (N, d) by one head.

        They are float32 also under autocast, and float64 for a network in float64.
        """
        logits = logits_of(self.head(head), features, self.precise_heads)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=2)

    def forward(self, x: Tensor, head: str | None = None) -> Tensor:
        """Cluster probabilities (N, h, k) of images (N, channels, s, s) by one head."""
        return self.assign(self.features(x), head)
