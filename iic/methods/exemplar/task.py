"""Training of Exemplar-CNN: which patch is it that was transformed?"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from iic.engine.device import autocast, moved
from iic.engine.feature_task import FeatureTask
from iic.engine.plain_images import plain_images
from iic.engine.seeding import generator
from iic.engine.task import CPU
from iic.methods.exemplar.colours import Palette, palette
from iic.methods.exemplar.network import ExemplarNetwork
from iic.methods.exemplar.patches import Places, cut, places, recoloured

if TYPE_CHECKING:
    from iic.methods.exemplar.settings import ExemplarSettings


class ExemplarTask(FeatureTask[ExemplarNetwork]):
    """A class is a position in `training`."""

    PASS = "patches"
    settings: ExemplarSettings

    def build(self) -> ExemplarNetwork:
        """Convolutions, features, and a layer with an output for each patch."""
        return ExemplarNetwork(self.settings.encoder, self.settings.exemplars)

    @property
    def chance(self) -> float:
        """Loss of all patches alike."""
        return math.log(self.settings.exemplars)

    @cached_property
    def training(self) -> Tensor:
        """Images that patches are taken from, ascending, (exemplars,)."""
        images = torch.from_numpy(self.context.data.indices(self.settings.splits))
        return self.shuffled(images, "exemplars")[: self.settings.exemplars].sort().values

    @cached_property
    def places(self) -> Places:
        """Where the patches lie."""
        sides = self.settings.patches.sides(self.settings.encoder.input_size)
        images = self.context.data.images[self.training.numpy()]
        found = places(images, sides, generator(CPU, self.seed, "patches"))
        return Places(*(numbers.to(self.device) for numbers in found))

    @cached_property
    def colours(self) -> Palette:
        """Colours of the images that patches are taken from."""
        found = palette(self.context.data.images[self.training.numpy()])
        return Palette(*(numbers.to(self.device) for numbers in found))

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Find places and colours before the first step: that is done on the host."""
        _ = self.places, self.colours

    def training_images(self, head: str) -> Tensor:
        """Classes of an epoch, each as often as it is transformed, (exemplars copies,)."""
        return torch.arange(self.settings.exemplars).repeat(self.settings.copies)

    def patches(self, classes: Tensor, draw: Generator) -> Tensor:
        """Transformed patches of classes (U,) on the host, (U, 3, s, s) in [0, 1]."""
        settings, size = self.settings.patches, self.settings.encoder.input_size
        images = self.store.batch(self.training[classes]).float() / 255
        where = Places(*(numbers[moved(classes, self.device)] for numbers in self.places))
        return recoloured(cut(images, where, size, settings, draw), self.colours, settings, draw)

    def loss(self, head: str, indices: Tensor, draw: Generator) -> Tensor:
        """Cross-entropy of the classes of one batch, (1,)."""
        logits: Tensor = self.forward(self.network, self.patches(indices, draw))
        return cross_entropy(logits.float(), moved(indices, self.device)).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Features of whole images, (n, d)."""
        images = plain_images(self.store, indices, self.context.data.images.shape[-1])
        with autocast(self.device, self.compute):
            return self.network.pooled(images).float()
