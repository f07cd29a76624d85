"""Adversarial training, the players in turn, and clusters of the discriminator's features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sklearn.preprocessing import normalize
from torch import Tensor

from iic.engine.device import autocast
from iic.engine.feature_task import FeatureTask, Points
from iic.engine.plain_images import plain_images
from iic.engine.turns import resting, turn_taking
from iic.methods.gan.loss import discriminator_loss, generator_loss
from iic.methods.gan.network import GAN

if TYPE_CHECKING:
    from iic.methods.gan.settings import GANSettings

DISCRIMINATOR, GENERATOR = 0, 1


class GANTask(FeatureTask[GAN]):
    """Each batch of images is two steps: the discriminator's turn, then the generator's."""

    PASS = "adversaries"
    settings: GANSettings

    def build(self) -> GAN:
        """Generator and discriminator."""
        return GAN(self.settings.networks)

    def optimiser(self) -> torch.optim.Optimizer:
        """Adam for both, of whom one rests in each step."""
        return turn_taking(self.network, self.settings.optimiser)

    def steps(self, head: str) -> int:
        """Turns in a pass."""
        return 2 * super().steps(head)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Images and player of every step, (U, 2), on the host: each batch once for each player."""
        return [
            torch.stack([batch, torch.full_like(batch, player)], dim=1)
            for batch in super().order(epoch, position)
            for player in (DISCRIMINATOR, GENERATOR)
        ]

    def examples(self, indices: Tensor) -> int:
        """Images of a batch, counted in the discriminator's turn."""
        return len(indices) if indices[0, 1] == DISCRIMINATOR else 0

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of the player whose turn it is, (1,).

        Args:
            head: The pass.
            indices: Images and player, (U, 2).
            draw: Source of the noise.
        """
        network, images = self.network, indices[:, 0]
        shape = (len(images), self.settings.networks.noise)
        noise = 2 * torch.rand(shape, generator=draw, device=self.device) - 1
        if indices[0, 1] == DISCRIMINATOR:
            with torch.no_grad():
                made = self.forward(network.generator, noise)
            real, false = (self._verdict(seen) for seen in (self.inputs(images), made))
            return discriminator_loss(real, false).reshape(1)
        made = self.forward(network.generator, noise)
        with resting(network.discriminator):
            return generator_loss(self._verdict(made)).reshape(1)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [-1, 1] at the networks' size, (U, C, s, s) float32."""
        return 2 * plain_images(self.store, indices, self.settings.networks.input_size) - 1

    def evaluate(self, indices: Tensor) -> Tensor:
        """Features of images, (n, d)."""
        with autocast(self.device, self.compute):
            return self.network.discriminator.features(self.inputs(indices)).float()

    def points(self) -> Points:
        """Features of the evaluated images as they are clustered, (n, d)."""
        points = super().points()
        if self.settings.unit_length:
            points = normalize(points)
        return points

    def _verdict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.forward(self.network.discriminator, images)
        return logits.float()
