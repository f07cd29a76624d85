"""Network of DAC: its outputs are the clusters' probabilities, and features of the labels too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iic.methods.dac.network_settings import DACNetworkSettings
from iic.networks.layers import batch_norm, initialise

MEMORY = ("targets", "thresholds")
"""Buffers that only a resumed training needs."""


class DACNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Blocks and input.
        k: Clusters.
        images: Training images whose outputs have to be remembered.
    """

    targets: Tensor
    """Output of each training image, of length 1, when its chunk was begun, (images, k)."""
    thresholds: Tensor
    """Similarity from which a pair is alike, and below which it is not, in this epoch, (2,)."""

    def __init__(self, settings: DACNetworkSettings, k: int, images: int = 0) -> None:
        super().__init__()
        tracked = settings.batchnorm_running_statistics
        self.layers = nn.Sequential()
        channels = settings.in_channels
        for width in settings.widths:
            for _ in range(settings.convolutions):
                self.layers.append(nn.Conv2d(channels, width, 3, bias=False))
                self.layers.append(batch_norm(width, tracked))
                self.layers.append(nn.ReLU(inplace=True))
                channels = width
            self.layers.append(nn.MaxPool2d(2))
            if settings.pooled_batchnorm:
                self.layers.append(batch_norm(width, tracked))
        self.layers.append(nn.Conv2d(channels, k, 1, bias=False))
        self.layers.append(batch_norm(k, tracked))
        self.layers.append(nn.ReLU(inplace=True))
        self.layers.append(nn.AdaptiveAvgPool2d(1))
        if settings.pooled_batchnorm:
            self.layers.append(batch_norm(k, tracked))
        self.layers.append(nn.Flatten())
        initialise(self.layers, "fan_in")
        for _ in range(2):
            linear = nn.Linear(k, k)
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)
            norm = nn.BatchNorm1d(k, track_running_stats=tracked)
            self.layers.extend([linear, norm, nn.ReLU(inplace=True)])
        self.register_buffer("targets", torch.zeros(images, k))
        self.register_buffer("thresholds", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        """Cluster probabilities (N, k) of images (N, in_channels, s, s)."""
        probabilities: Tensor = self.layers(x).float().softmax(dim=1)
        return probabilities
