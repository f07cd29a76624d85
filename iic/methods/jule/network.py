"""Network of JULE: features of length 1, and the clusters of the training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from iic.methods.jule.network_settings import KERNEL, JULENetworkSettings
from iic.networks.layers import batch_norm

WEIGHT_STD = 0.01
"""Of all weights at their start, as in the released code; biases are 0."""


class JULENetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Convolutions and input.
        images: Training images, each of which has a cluster.
    """

    clusters: Tensor
    """Cluster of each training image, (images,) int32; -1 before the first."""
    stopped: Tensor
    """Whether k clusters are reached."""

    def __init__(self, settings: JULENetworkSettings, images: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        channels = settings.in_channels
        for index, width in enumerate(settings.widths):
            if index:
                self.layers.append(nn.MaxPool2d(2, ceil_mode=True))
            convolution = nn.Conv2d(channels, width, KERNEL)
            self.layers.extend([convolution, batch_norm(width, True), nn.ReLU(inplace=True)])
            channels = width
        inputs = channels * settings.last_side**2
        self.layers.extend([nn.Flatten(), nn.Linear(inputs, settings.features)])
        for module in self.layers:
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=WEIGHT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.register_buffer("clusters", torch.full((images,), -1, dtype=torch.int32))
        self.register_buffer("stopped", torch.tensor(False))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, d) of length 1 of images (N, in_channels, s, s)."""
        return normalize(self.layers(x).float(), dim=1)
