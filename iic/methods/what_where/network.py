"""Encoder and decoder of a stacked what-where autoencoder (docs/spec/baselines.md#swwae)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from iic.methods.what_where.network_settings import WhatWhereNetworkSettings
from iic.methods.what_where.pooling import pooled, unpooled
from iic.networks.layers import batch_norm, convolution, initialise


class Encoding(NamedTuple):
    """What every stage makes of images, from the first to the last."""

    what: tuple[Tensor, ...]
    """Pooled maps, (N, c, s, s) each; the last is the code."""
    where: tuple[Tensor, ...]
    """Places of their maxima, of the same shapes."""


class WhatWhereAutoencoder(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Sizes and widths.
    """

    def __init__(self, settings: WhatWhereNetworkSettings) -> None:
        super().__init__()
        self.pools = [stage.pool for stage in settings.stages]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        below = settings.in_channels
        for number, stage in enumerate(settings.stages):
            channels = (below, *stage.channels)
            self.down.append(nn.Sequential(*_convolutions(channels, stage.kernel)))
            layers = _convolutions(channels[::-1], stage.kernel)
            if number == 0:
                # an image's pixels are no features: neither normalised nor cut off at 0
                layers = [*layers[:-3], nn.Conv2d(channels[1], below, stage.kernel, padding="same")]
            self.up.append(nn.Sequential(*layers))
            below = stage.channels[-1]
        initialise(self, "fan_in")

    def encode(self, images: Tensor) -> Encoding:
        """What and where of images (N, C, s, s)."""
        what, where = [], []
        for stage, pool in zip(self.down, self.pools, strict=True):
            images, places = pooled(stage(images), pool)
            what.append(images)
            where.append(places)
        return Encoding(tuple(what), tuple(where))

    def decode(self, encoding: Encoding) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Reconstruction (N, C, s, s), and the maps on the way.

        They have the shapes of all "what" but the last, from the first to the last.
        """
        maps, passed = encoding.what[-1], []
        for number in reversed(range(len(self.pools))):
            maps = self.up[number](unpooled(maps, encoding.where[number], self.pools[number]))
            passed.append(maps)
        return passed[-1], tuple(reversed(passed[:-1]))

    def code(self, images: Tensor) -> Tensor:
        """The last "what", flattened, (N, code)."""
        return self.encode(images).what[-1].flatten(1)

    def forward(self, images: Tensor) -> tuple[Encoding, Tensor, tuple[Tensor, ...]]:
        """Encoding, reconstruction and decoded maps of images (N, C, s, s)."""
        encoding = self.encode(images)
        return encoding, *self.decode(encoding)


class WhatWhereClassifier(WhatWhereAutoencoder):
    """The same, and a linear classifier of the code.

    Args:
        settings: Sizes and widths.
        classes: Number of classes.
    """

    def __init__(self, settings: WhatWhereNetworkSettings, classes: int) -> None:
        super().__init__(settings)
        self.top = nn.Linear(settings.code, classes)

    def classify(self, encoding: Encoding) -> Tensor:
        """Logits (N, classes) of the last "what"."""
        logits: Tensor = self.top(encoding.what[-1].flatten(1))
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, s, s)."""
        return self.classify(self.encode(images))


def reconstruction(settings: WhatWhereNetworkSettings) -> Callable[[Tensor], Tensor]:
    """An image's way in training, for its operations (`iic.params.operations`)."""
    network = WhatWhereAutoencoder(settings)
    return lambda images: network(images)[1]


def classification(settings: WhatWhereNetworkSettings, classes: int) -> Callable[[Tensor], Tensor]:
    """The way of an image that has a label, likewise."""
    network = WhatWhereClassifier(settings, classes)

    def way(images: Tensor) -> Tensor:
        encoding, output, _ = network(images)
        total: Tensor = output.sum() + network.classify(encoding).sum()
        return total

    return way


def _convolutions(channels: Sequence[int], kernel: int) -> list[nn.Module]:
    """Convolutions between these widths, each with BatchNorm and ReLU."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(channels):
        layers.append(convolution(narrow, wide, kernel))
        layers += [batch_norm(wide, True), nn.ReLU(inplace=True)]
    return layers
