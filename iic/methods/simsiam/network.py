"""Network of SimSiam: the encoder of IMC-SwAV, a projector and a predictor."""

from __future__ import annotations

from torch import Tensor, nn

from iic.networks.encoder import Encoder
from iic.params.encoder import EncoderSettings


class SiameseNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: The encoder.
        projection: Length of projections and predictions.
        bottleneck: Width of the predictor's hidden layer.

    Attributes:
        encoder: Images to features, which k-means clusters.
        projector: Features to projections.
        predictor: Projections to predictions.
    """

    def __init__(self, settings: EncoderSettings, *, projection: int, bottleneck: int) -> None:
        super().__init__()
        self.encoder = Encoder(settings)
        width = self.encoder.out_features
        self.projector = nn.Sequential(
            nn.Linear(width, projection, bias=False),
            nn.BatchNorm1d(projection),
            nn.ReLU(inplace=True),
            nn.Linear(projection, projection, bias=False),
            nn.BatchNorm1d(projection, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(projection, bottleneck, bias=False),
            nn.BatchNorm1d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Linear(bottleneck, projection),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, d) of images (N, channels, s, s)."""
        features: Tensor = self.encoder(x)
        return features
