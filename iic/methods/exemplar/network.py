"""Network of Exemplar-CNN: it classifies patches, and gives features of whole images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from iic.methods.exemplar.network_settings import POOLINGS, ExemplarNetworkSettings


class ExemplarNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Sizes and widths.
        classes: Patches that are classes; 0 for features alone.
    """

    def __init__(self, settings: ExemplarNetworkSettings, classes: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        channels = settings.in_channels
        for number, width in enumerate(settings.widths):
            layer = nn.Sequential()
            if 0 < number <= POOLINGS:
                layer.append(nn.MaxPool2d(2))
            layer.append(nn.Conv2d(channels, width, settings.kernel, padding="same"))
            layer.append(nn.ReLU(inplace=True))
            self.layers.append(layer)
            channels = width
        last = nn.Sequential()
        if len(settings.widths) <= POOLINGS:
            last.append(nn.MaxPool2d(2))
        # over a patch one number a feature, over an image a map
        last.append(nn.Conv2d(channels, settings.features, settings.last_side))
        last.append(nn.ReLU(inplace=True))
        self.layers.append(last)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.top = nn.Sequential()
        if classes:
            self.top.append(nn.Dropout(settings.dropout))
            self.top.append(nn.Linear(settings.features, classes))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Maps of every layer of images (N, in_channels, s, s) in [0, 1]."""
        x, found = 2 * x - 1, []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of patches (N, in_channels, s, s)."""
        logits: Tensor = self.top(self.maps(x)[-1].flatten(1))
        return logits

    def pooled(self, x: Tensor) -> Tensor:
        """Features of images, the largest number of each quarter of each map, (N, numbers)."""
        return torch.cat([adaptive_max_pool2d(maps, 2).flatten(1) for maps in self.maps(x)], dim=1)


def on_images(settings: ExemplarNetworkSettings, side: int) -> Callable[[Tensor], Tensor]:
    """The way of an image of `side` pixels to its features, for its operations.

    It is called with patches, of which only the number counts.
    """
    network = ExemplarNetwork(settings)
    return lambda patches: network.pooled(patches[:, :, :1, :1].expand(-1, -1, side, side))
