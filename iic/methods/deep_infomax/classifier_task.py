"""Finetuning of Deep InfoMax's convolutions with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Generator, Tensor

from iic.engine.labelled_task import ClassifierTask
from iic.methods.deep_infomax.inputs import resized
from iic.methods.deep_infomax.network import DIMClassifier

if TYPE_CHECKING:
    from iic.methods.deep_infomax.finetuned import Settings


class DIMClassifierTask(ClassifierTask[DIMClassifier]):
    """Images are trained on as they are scored."""

    settings: Settings

    def build(self) -> DIMClassifier:
        """The convolutions of the other run, and a fresh classifier."""
        own = self.settings
        network = DIMClassifier(own.encoder, self.k, own.hidden, own.dropout)
        return self.load(network, "lower", "upper")

    def transformed(self, indices: Tensor, draw: Generator) -> Tensor:
        """Images in [0, 1] at the network's size, without transforms."""
        return self.inputs(indices)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return resized(self.store, indices, self.settings.encoder.input_size)
