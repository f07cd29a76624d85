"""Encoder of the sparse autoencoder, whose last hidden units are sigmoids and are seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iic.methods.autoencoders.network import Autoencoder
from iic.methods.autoencoders.network_settings import AutoencoderSettings


class CodeBesideHidden(nn.Module):
    """The code of hidden units, and the units themselves.

    Args:
        to_code: The encoder's last layer.
    """

    def __init__(self, to_code: nn.Module) -> None:
        super().__init__()
        self.to_code = to_code

    def forward(self, hidden: Tensor) -> Tensor:
        """Code and hidden units (N, code + h) of hidden units (N, h)."""
        return torch.cat([self.to_code(hidden), hidden], dim=1)


class SparseAutoencoder(Autoencoder):
    """An autoencoder with the same first weights; its last hidden units are in (0, 1).

    Args:
        settings: Family, sizes and widths.
    """

    def __init__(self, settings: AutoencoderSettings) -> None:
        super().__init__(settings)
        self.code = settings.code
        *layers, to_code = self.encoder
        last = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.ReLU))
        layers[last] = nn.Sigmoid()
        self.encoder = nn.Sequential(*layers, CodeBesideHidden(to_code))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of images (N, C, s, s)."""
        reconstruction: Tensor = self.decoder(self.encoder(x)[:, : self.code])
        return reconstruction
