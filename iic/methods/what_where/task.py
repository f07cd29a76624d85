"""Training of a what-where autoencoder, and clusters of its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Generator, Tensor

from iic.engine.device import autocast
from iic.engine.feature_task import FeatureTask
from iic.engine.plain_images import plain_images
from iic.methods.what_where.loss import intermediate_error, reconstruction_error
from iic.methods.what_where.network import WhatWhereAutoencoder

if TYPE_CHECKING:
    from iic.methods.what_where.settings import WhatWhereSettings


class WhatWhereTask(FeatureTask[WhatWhereAutoencoder]):
    """Images in, clusters of the last "what" out."""

    PASS = "reconstruction"
    settings: WhatWhereSettings

    def build(self) -> WhatWhereAutoencoder:
        """Encoder and decoder."""
        return WhatWhereAutoencoder(self.settings.autoencoder)

    def loss(self, head: str, indices: Tensor, draw: Generator) -> Tensor:
        """Error of the image and, weighted, of the maps inside, (1,)."""
        images = self.inputs(indices)
        encoding, output, decoded = self.forward(self.network, images)
        inside = intermediate_error(
            [maps.float() for maps in decoded], [maps.float() for maps in encoding.what[:-1]]
        )
        error = reconstruction_error(output.float(), images)
        return (error + self.settings.intermediate_weight * inside).reshape(1)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return plain_images(self.store, indices, self.settings.autoencoder.input_size)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Codes of images, (n, d)."""
        with autocast(self.device, self.compute):
            return self.network.code(self.inputs(indices)).float()
