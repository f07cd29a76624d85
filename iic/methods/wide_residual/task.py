"""Training of a wide residual network on labels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iic.engine.labelled_task import ClassifierTask
from iic.engine.plain_images import plain_images
from iic.methods.wide_residual import transforms
from iic.methods.wide_residual.network import WideResidualNetwork

if TYPE_CHECKING:
    from iic.methods.wide_residual.settings import WideResidualSettings


class WideResidualTask(ClassifierTask[WideResidualNetwork]):
    """Images are shifted, mirrored and perhaps cut; they are scored as they are."""

    settings: WideResidualSettings

    def build(self) -> WideResidualNetwork:
        """The network."""
        return WideResidualNetwork(self.settings.classifier, self.k)

    def optimiser(self) -> torch.optim.Optimizer:
        """SGD with momentum, Nesterov's if the settings say so."""
        settings = self.settings.optimiser
        return torch.optim.SGD(
            self.parameter_groups(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov,
            fused=True,
        )

    @cached_property
    def standard(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each channel over the training images, (C, 1, 1) each."""
        sums = torch.zeros(2, self.settings.classifier.in_channels, dtype=torch.float64)
        parts = torch.split(self.training, self.evaluation_batch)
        for part in parts:
            pixels = self._plain(part).double().flatten(2)
            sums += torch.stack([each.mean(2).sum(0) for each in (pixels, pixels**2)]).cpu()
        mean, square = sums / len(self.training)
        deviation = (square - mean**2).clamp(min=0).sqrt().clamp(min=1e-6)
        mean, deviation = (
            numbers.float().view(-1, 1, 1).to(self.device) for numbers in (mean, deviation)
        )
        return mean, deviation

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Find mean and deviation before the first step, which waits for them."""
        _ = self.standard

    def transformed(self, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Shifted, mirrored, standardised images, each perhaps with a square of 0."""
        settings = self.settings
        images = transforms.shifted(
            self._plain(indices), settings.shift, settings.surroundings, draw
        )
        images = self._standardised(transforms.mirrored(images, settings.flip_probability, draw))
        return transforms.without_squares(images, settings.square, draw)

    def inputs(self, indices: Tensor) -> Tensor:
        """Standardised images."""
        return self._standardised(self._plain(indices))

    def _plain(self, indices: Tensor) -> Tensor:
        return plain_images(self.store, indices, self.settings.classifier.input_size)

    def _standardised(self, images: Tensor) -> Tensor:
        mean, deviation = self.standard
        return (images - mean) / deviation
