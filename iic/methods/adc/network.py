"""Network of ADC: embeddings of images, centroids among them, a layer that classifies both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iic.methods.adc.network_settings import ADCNetworkSettings


class Embedder(nn.Sequential):
    """Convolutions and the layer of the embeddings."""

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (N, d) of images (N, in_channels, s, s) in [0, 1], taken to [-1, 1]."""
        embeddings: Tensor = super().forward(2 * x - 1)  # type: ignore[no-untyped-call]
        return embeddings


class ADCNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Blocks and input.
        k: Clusters.
        centroids: Centroids of each cluster.
        deviation: Standard deviation of a cluster's middle, around 0, in each number.
        spread: Its centroids lie in each number up to so far from its middle.

    Attributes:
        centroids: All of the first cluster, then of the second, and so on, (k centroids, d).
    """

    def __init__(
        self,
        settings: ADCNetworkSettings,
        k: int,
        *,
        centroids: int = 4,
        deviation: float = 0.3,
        spread: float = 0.01,
    ) -> None:
        super().__init__()
        self.embedder = Embedder()
        channels = settings.in_channels
        for block, width in enumerate(settings.widths):
            if block:
                self.embedder.append(nn.Dropout(settings.dropout))
            for _ in range(settings.convolutions):
                self.embedder.extend(
                    [nn.Conv2d(channels, width, 3, padding=1), nn.ELU(inplace=True)]
                )
                channels = width
            self.embedder.append(nn.MaxPool2d(2))
        inputs = channels * settings.last_side**2
        self.embedder.extend([nn.Flatten(), nn.Linear(inputs, settings.embedding), nn.ELU()])
        self.classifier = nn.Linear(settings.embedding, k)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        middles = deviation * torch.randn(k, 1, settings.embedding)
        noise = spread * (2 * torch.rand(k, centroids, settings.embedding) - 1)
        self.centroids = nn.Parameter((middles + noise).flatten(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, k) of images (N, in_channels, s, s) in [0, 1]."""
        logits: Tensor = self.classifier(self.embedder(x))
        return logits

    def weight_squares(self) -> tuple[Tensor, Tensor]:
        """Half the sum of squares of the weights below the embedding, and of the classifier's."""
        layers = [
            module.weight.square().sum()
            for module in self.embedder
            if isinstance(module, nn.Conv2d | nn.Linear)
        ]
        return torch.stack(layers).sum() / 2, self.classifier.weight.square().sum() / 2
