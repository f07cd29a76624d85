"""Trunk and classifier of the supervised experiments (docs/spec/images.md#finetuning)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from iic.networks.build import build_trunk
from iic.networks.heads import WEIGHT_STD
from iic.networks.resnet import ResNetTrunk
from iic.params.networks import NetworkSettings


class Classifier(nn.Module):
    """A trunk and one classifier on its features.

    Args:
        network: The trunk.
        classes: Number of classes.
        features: ``pooled`` for the trunk's own features; ``penultimate`` for the flattened map
            before the last stage, which the released code finetunes, leaving that stage out.
        head: ``linear`` for one layer; ``two_layer`` for two with BatchNorm between.
        hidden: Width of the hidden layer.

    Raises:
        ValueError: Penultimate features of a trunk other than network A.
    """

    def __init__(
        self,
        network: NetworkSettings,
        classes: int,
        features: Literal["penultimate", "pooled"],
        head: Literal["two_layer", "linear"],
        hidden: int,
    ) -> None:
        super().__init__()
        self.trunk = build_trunk(network)
        self.penultimate = features == "penultimate"
        width = self.trunk.out_features
        if self.penultimate:
            if not isinstance(self.trunk, ResNetTrunk):
                raise ValueError("penultimate features are those of network A only")
            width = self.trunk.penultimate_features
        layers: list[nn.Module] = [nn.Linear(width, classes)]
        if head == "two_layer":
            layers = [
                nn.Linear(width, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(inplace=True),
                nn.Linear(hidden, classes),
            ]
        self.head = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, mean=0.0, std=WEIGHT_STD)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, s, s)."""
        if self.penultimate:
            assert isinstance(self.trunk, ResNetTrunk)
            features = self.trunk.penultimate(x)
        else:
            features = self.trunk(x)
        logits: Tensor = self.head(features)
        return logits
