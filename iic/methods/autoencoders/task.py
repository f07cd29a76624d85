"""Training of an autoencoder, and clusters of its codes (Table 1, rows of autoencoders)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from iic.engine.context import RunContext
from iic.engine.feature_task import FeatureTask, Points, Restarts
from iic.engine.plain_images import plain_images
from iic.methods.autoencoders.codes import scaled
from iic.methods.autoencoders.loss import Objective
from iic.methods.autoencoders.network import Autoencoder

if TYPE_CHECKING:
    from iic.methods.autoencoders.settings import ReconstructionSettings

N = TypeVar("N", bound=Autoencoder)


class CodeTask(FeatureTask[N]):
    """Codes of images at the network's size, clustered by k-means.

    Labels are not touched here: images in, clusters of the evaluated images out.
    """

    settings: ReconstructionSettings

    @property
    def clustering(self) -> Restarts:
        """Settings of k-means."""
        return self.settings.clusters

    def points(self) -> Points:
        """Codes of the evaluated images, scaled as they are clustered, (n, d)."""
        return scaled(super().points(), self.settings.clusters.scaling)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return plain_images(self.store, indices, self.settings.autoencoder.input_size)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Codes of images, (n, d)."""
        return self.encode(self.inputs(indices))

    def encode(self, images: Tensor) -> Tensor:
        """What the encoder gives for images, (U, n) float32."""
        outputs: Tensor = self.forward(self.network.encoder, images)
        return outputs.float()

    def decode(self, codes: Tensor) -> Tensor:
        """Images (U, C, s, s) float32 that the decoder makes of codes (U, d)."""
        images: Tensor = self.forward(self.network.decoder, codes)
        return images.float()


class ReconstructionTask(CodeTask[Autoencoder]):
    """What the four autoencoders share.

    Args:
        context: The run.
        device: Where to run.
        objective: What is minimised.
    """

    PASS = "reconstruction"

    def __init__(
        self, context: RunContext[Any], device: torch.device, *, objective: Objective
    ) -> None:
        super().__init__(context, device)
        self.objective = objective

    def build(self) -> Autoencoder:
        """Encoder and decoder."""
        return Autoencoder(self.settings.autoencoder, self.settings.code_outputs)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The objective on one batch, (1,)."""
        images = self.inputs(indices)
        return self.objective.loss(self.encode, self.decode, images, draw).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Codes of images, which the objective makes of the encoder's outputs, (n, d)."""
        return self.objective.code(self.encode(self.inputs(indices)))

    def refresh_statistics(self) -> None:
        """Move BatchNorm's running statistics, the decoder's too, towards the evaluated images."""
        for codes in self.evaluations(self.evaluated, training=True):
            self.decode(codes)
