"""Network of DeepCluster on IIC's trunk: a feature layer, and a classifier of pseudo-labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iic.networks.build import build_trunk
from iic.params.networks import NetworkSettings

WEIGHT_STD = 0.01
"""Of both linear layers at their start, as in the official code."""


class DeepClusterNetwork(nn.Module):
    """A freshly initialised network; randomness as for `iic.networks.build`.

    Args:
        settings: The trunk.
        features: Length of a feature vector.
        clusters: Classes of the top layer.
        images: Training images, each of which has a pseudo-label.

    Attributes:
        pseudo_labels: Cluster of each training image in this epoch, (images,) int32; -1 before the
            first. A buffer, so that it is in every checkpoint.
    """

    pseudo_labels: Tensor

    def __init__(
        self, settings: NetworkSettings, *, features: int, clusters: int, images: int
    ) -> None:
        super().__init__()
        self.trunk = build_trunk(settings)
        self.feature = nn.Linear(self.trunk.out_features, features)
        self.top = nn.Linear(features, clusters)
        nn.init.normal_(self.feature.weight, std=WEIGHT_STD)
        nn.init.zeros_(self.feature.bias)
        self.reset_top(None)
        self.register_buffer("pseudo_labels", torch.full((images,), -1, dtype=torch.int32))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, features) of images (N, channels, s, s), before the ReLU."""
        features: Tensor = self.feature(self.trunk(x))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Logits (N, clusters) of features (N, features)."""
        logits: Tensor = self.top(features.relu())
        return logits

    def reset_top(self, draw: torch.Generator | None) -> None:
        """Forget the top layer: clusters of one epoch are not those of the next.

        Args:
            draw: Source of its weights, on the CPU; None for torch's global generator.
        """
        with torch.no_grad():
            # drawn on the host, so that a GPU starts from the same weights
            weight = torch.empty(self.top.weight.shape).normal_(std=WEIGHT_STD, generator=draw)
            self.top.weight.copy_(weight)
            self.top.bias.zero_()
