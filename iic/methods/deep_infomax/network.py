"""Networks of Deep InfoMax: the encoder, what compares its features, and a classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iic.methods.deep_infomax.network_settings import LOCAL, POOLED, DIMEncoderSettings
from iic.networks.layers import batch_norm, convolution


def convolutions(settings: DIMEncoderSettings, first: int, last: int) -> nn.Sequential:
    """Convolutions number `first` to `last`, counted from 1, with BatchNorm, ReLU and maxima."""
    widths = (settings.in_channels, *settings.channels)
    layers = nn.Sequential()
    for number in range(first, last + 1):
        layers.append(convolution(widths[number - 1], widths[number], 3))
        layers.extend([batch_norm(widths[number], True), nn.ReLU(inplace=True)])
        if number in POOLED:
            layers.append(nn.MaxPool2d(3, 2))
    return layers


class Comparison(nn.Module):
    """Two layers and a linear one beside them, each on the numbers of one feature alone.

    Args:
        features: Numbers of a feature.
        units: Numbers that come out.
        normalised: Whether they are brought to mean 0 and deviation 1.
    """

    def __init__(self, features: int, units: int, normalised: bool) -> None:
        super().__init__()
        self.bent = nn.Sequential(
            nn.Linear(features, units, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(inplace=True),
            nn.Linear(units, units),
        )
        self.straight = nn.Linear(features, units)
        self.norm = nn.LayerNorm(units) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, units) of (n, features)."""
        out: Tensor = self.norm(self.bent(x) + self.straight(x))
        return out


class DIMNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: The encoder.
        units: Numbers in which features are compared.
    """

    def __init__(self, settings: DIMEncoderSettings, units: int) -> None:
        super().__init__()
        self.lower = convolutions(settings, 1, LOCAL)
        self.upper = convolutions(settings, LOCAL + 1, POOLED[-1])
        width = settings.channels[-1] * settings.side(POOLED[-1]) ** 2
        layers: list[nn.Module] = [nn.Flatten()]
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
            width = hidden
        self.vector = nn.Sequential(*layers, nn.Linear(width, settings.features))
        self.places = Comparison(settings.channels[LOCAL - 1], units, normalised=True)
        self.vectors = Comparison(settings.features, units, normalised=False)

    def encode(self, x: Tensor) -> Tensor:
        """Global features (N, features) of images (N, in_channels, s, s) in [0, 1]."""
        features: Tensor = self.vector(self.upper(self.lower(2 * x - 1)))
        return features

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What a loss compares of images: local (N, units, places) and global (N, units)."""
        maps = self.lower(2 * x - 1)
        local = maps.flatten(2).transpose(1, 2)
        places = self.places(local.flatten(0, 1)).unflatten(0, local.shape[:2])
        return places.transpose(1, 2), self.vectors(self.vector(self.upper(maps)))


class DIMClassifier(nn.Module):
    """The convolutions, and a small network that classifies their last map.

    Args:
        settings: The encoder, whose vector is left out.
        classes: Number of classes.
        hidden: Width of the layer between.
        dropout: Share that is dropped after it.
    """

    def __init__(
        self, settings: DIMEncoderSettings, classes: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.lower = convolutions(settings, 1, LOCAL)
        self.upper = convolutions(settings, LOCAL + 1, POOLED[-1])
        width = settings.channels[-1] * settings.side(POOLED[-1]) ** 2
        self.top = nn.Sequential(
            nn.Flatten(),
            nn.Linear(width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, s, s) in [0, 1]."""
        logits: Tensor = self.top(self.upper(self.lower(2 * x - 1)))
        return logits


def compared(settings: DIMEncoderSettings, units: int) -> Callable[[Tensor], Tensor]:
    """An image's way in training, for its operations (`iic.params.operations`)."""
    network = DIMNetwork(settings, units)

    def way(images: Tensor) -> Tensor:
        places, vectors = network(images)
        both: Tensor = torch.add(places.sum(), vectors.sum())
        return both

    return way
