"""Generator and discriminator of a DCGAN (docs/spec/baselines.md#gan)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from iic.engine.turns import resting
from iic.methods.gan.network_settings import STRIDE, GANNetworkSettings
from iic.networks.layers import batch_norm

KERNEL, PADDING = 4, 1
LEAK = 0.2
WEIGHT_STD = 0.02


class Generator(nn.Module):
    """Noise to images.

    Args:
        settings: Sizes and widths.
    """

    def __init__(self, settings: GANNetworkSettings) -> None:
        super().__init__()
        side, widths = settings.map_side, settings.widths[::-1]
        layers: list[nn.Module] = [
            nn.Linear(settings.noise, widths[0] * side**2, bias=False),
            nn.Unflatten(1, (widths[0], side, side)),
        ]
        for place, (wide, narrow) in enumerate(pairwise((*widths, settings.in_channels)), start=1):
            # a bias only where no BatchNorm takes it away again
            last = place == len(widths)
            upwards = nn.ConvTranspose2d(wide, narrow, KERNEL, STRIDE, PADDING, bias=last)
            layers += [batch_norm(wide, True), nn.ReLU(inplace=True), upwards]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """Images (N, C, s, s) in [-1, 1] of noise (N, z) in [-1, 1]."""
        images: Tensor = self.layers(noise)
        return images


class Discriminator(nn.Module):
    """Images to whether they are real.

    Args:
        settings: Sizes and widths.
    """

    def __init__(self, settings: GANNetworkSettings) -> None:
        super().__init__()
        self.pooled_side = settings.pooled_side
        self.stages = nn.ModuleList()
        for place, (narrow, wide) in enumerate(pairwise((settings.in_channels, *settings.widths))):
            convolution = nn.Conv2d(narrow, wide, KERNEL, STRIDE, PADDING, bias=place == 0)
            norm = [batch_norm(wide, True)] if place else []
            self.stages.append(nn.Sequential(convolution, *norm, nn.LeakyReLU(LEAK)))
        self.verdict = nn.Linear(settings.widths[-1] * settings.map_side**2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) that images (N, C, s, s) in [-1, 1] are real."""
        *_, last = self._maps(images)
        logits: Tensor = self.verdict(last.flatten(1))
        return logits[:, 0]

    def features(self, images: Tensor) -> Tensor:
        """Every stage's map, max-pooled and flattened, side by side, (N, d)."""
        pooled = (
            adaptive_max_pool2d(maps, min(maps.shape[-1], self.pooled_side)).flatten(1)
            for maps in self._maps(images)
        )
        return torch.cat(list(pooled), dim=1)

    def _maps(self, images: Tensor) -> Iterator[Tensor]:
        for stage in self.stages:
            images = stage(images)
            yield images


class GAN(nn.Module):
    """Both, freshly initialised; randomness comes from torch's global generator.

    Args:
        settings: Of both.
    """

    def __init__(self, settings: GANNetworkSettings) -> None:
        super().__init__()
        self.generator = Generator(settings)
        self.discriminator = Discriminator(settings)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=WEIGHT_STD)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, mean=1.0, std=WEIGHT_STD)


def telling(settings: GANNetworkSettings) -> Callable[[Tensor], Tensor]:
    """The discriminator's turn, for its operations: a real image, and one that is made."""
    both = GAN(settings)

    def turn(images: Tensor) -> Tensor:
        with torch.no_grad():
            made = both.generator(images.new_zeros(len(images), settings.noise))
        logits: Tensor = both.discriminator(images) + both.discriminator(made)
        return logits

    return turn


def deceiving(settings: GANNetworkSettings) -> Callable[[Tensor], Tensor]:
    """The generator's turn, for its operations: an image that is made and judged."""
    both = GAN(settings)

    def turn(images: Tensor) -> Tensor:
        made = both.generator(images.new_zeros(len(images), settings.noise))
        with resting(both.discriminator):
            logits: Tensor = both.discriminator(made)
        return logits

    return turn
