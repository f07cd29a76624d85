"""DEC's network: an autoencoder, cluster centres, and what its training has to remember."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iic.methods.autoencoders.network import Autoencoder
from iic.methods.autoencoders.network_settings import AutoencoderSettings

MEMORY = ("targets", "labels")
"""Buffers that hold something of every training image: of use to a checkpoint alone."""


class DECNetwork(Autoencoder):
    """Autoencoder and centres; buffers hold all that a resumed training needs besides.

    Args:
        settings: Of a fully connected autoencoder; `initialise` replaces its first weights.
        k: Clusters.
        images: Training images.
        scale: Factor on pixels in [0, 1]; it belongs to the weights.
    """

    targets: Tensor
    """P of every training image, (N, k)."""
    labels: Tensor
    """Cluster of every training image when P was computed, (N,) int32."""
    started: Tensor
    """Whether the centres are set, and clusters are theirs."""
    stopped: Tensor
    """Whether too few labels changed for another epoch."""
    scale: Tensor

    def __init__(self, settings: AutoencoderSettings, *, k: int, images: int, scale: float) -> None:
        super().__init__(settings)
        self._down, self._up = (
            [part for part in half if isinstance(part, nn.Linear)]
            for half in (self.encoder, self.decoder)
        )
        self.centres = nn.Parameter(torch.zeros(k, settings.code))
        self.register_buffer("targets", torch.zeros(images, k))
        self.register_buffer("labels", torch.zeros(images, dtype=torch.int32))
        self.register_buffer("started", torch.tensor(False))
        self.register_buffer("stopped", torch.tensor(False))
        self.register_buffer("scale", torch.tensor(scale))

    def initialise(self, deviation: float | None) -> None:
        """First weights from torch's global generator, and biases of 0.

        Args:
            deviation: Standard deviation of the weights, around 0, or None for weights spread by
                the number of a layer's inputs (`iic.methods.dec.settings`).
        """
        for layer in (*self._down, *self._up):
            if deviation is None:
                reach = layer.in_features**-0.5
                nn.init.uniform_(layer.weight, -reach, reach)
            else:
                nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)

    def pair(self, layer: int) -> tuple[nn.Linear, nn.Linear]:
        """A layer of the encoder, counted from 0, and its mirror in the decoder."""
        return self._down[layer], self._up[-1 - layer]

    def below(self, images: Tensor, layer: int) -> Tensor:
        """What a layer of the encoder gets: scaled images (N, C, s, s) to (N, n)."""
        # Flatten, and then two modules, Linear and ReLU, for each layer below
        inputs: Tensor = self.encoder[: 1 + 2 * layer](images)
        return inputs


def layer_pass(settings: AutoencoderSettings, layer: int) -> Callable[[Tensor], Tensor]:
    """An image's way while one layer is pretrained, for its operations (`iic.params.operations`).

    Args:
        settings: The autoencoder.
        layer: Of the encoder, counted from 0.
    """
    network = DECNetwork(settings, k=1, images=1, scale=1.0)
    encode, decode = network.pair(layer)

    def reconstruct(images: Tensor) -> Tensor:
        with torch.no_grad():
            inputs = network.below(images, layer)
        outputs: Tensor = decode(encode(inputs))
        return outputs

    return reconstruct
