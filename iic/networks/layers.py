"""Layers and initialisation that the trunks share."""

from __future__ import annotations

from typing import Literal

from torch import nn

BATCHNORM_EPS = 1e-5
BATCHNORM_MOMENTUM = 0.1


def convolution(in_channels: int, channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Convolution without bias whose padding keeps the map's size at stride 1."""
    return nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False)


def batch_norm(channels: int, running_statistics: bool) -> nn.BatchNorm2d:
    """BatchNorm; without running statistics it uses those of the batch in evaluation too."""
    return nn.BatchNorm2d(
        channels,
        eps=BATCHNORM_EPS,
        momentum=BATCHNORM_MOMENTUM,
        track_running_stats=running_statistics,
    )


def initialise(trunk: nn.Module, fan: Literal["fan_in", "fan_out"]) -> None:
    """Kaiming-normal convolutions for ReLU, BatchNorm at the identity.

    Draws from torch's global generator, in the order in which the modules were registered.
    """
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=fan, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
