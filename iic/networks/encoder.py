"""A ResNet for small images of any size (docs/spec/imc_swav.md#network).

Other than network A (`iic.networks.resnet`) it takes crops of several sizes: it averages over
whatever map is left. Its stem's pooling, if there is one, has no padding.
"""

from __future__ import annotations

from torch import Tensor, nn

from iic.networks.layers import batch_norm, convolution, initialise
from iic.networks.resnet import BasicBlock
from iic.params.encoder import EncoderSettings


class Encoder(nn.Module):
    """A freshly initialised encoder; all randomness comes from torch's global generator.

    Args:
        settings: Its shape.

    Attributes:
        out_features: Length of a feature vector.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        width = settings.channels[0]
        self.layers = nn.Sequential(
            convolution(settings.in_channels, width, 3),
            batch_norm(width, running_statistics=True),
            nn.ReLU(inplace=True),
        )
        if settings.pool:
            self.layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        for stage, (channels, count) in enumerate(
            zip(settings.channels, settings.blocks, strict=True)
        ):
            for block in range(count):
                stride = 2 if stage and not block else 1
                self.layers.append(BasicBlock(width, channels, stride, running_statistics=True))
                width = channels
        self.layers.append(nn.AdaptiveAvgPool2d(1))
        self.out_features = width
        initialise(self, "fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_features) of images (N, in_channels, s, s), s of any size."""
        features: Tensor = self.layers(x).flatten(1)
        return features
