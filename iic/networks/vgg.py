"""Network B: a VGG-like trunk of four 5x5 convolutions (supplement, Table 1, column B)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iic.networks.layers import batch_norm, convolution, initialise


class VGGTrunk(nn.Module):
    """Convolution, BatchNorm and ReLU per stage, a 2x2 max-pooling between stages.

    Args:
        in_channels: Channels of the input.
        input_size: Side of the input in pixels, divisible by 2 ** (stages - 1).
        channels: Output channels of each stage.
        running_statistics: Whether BatchNorm keeps running statistics for evaluation.

    Attributes:
        out_features: Length of a feature vector: the flattened last map, 4,608 for 24 pixels.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        input_size: int,
        channels: Sequence[int],
        running_statistics: bool,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        width = in_channels
        for index, stage_channels in enumerate(channels):
            if index:
                self.layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            self.layers.append(convolution(width, stage_channels, 5))
            self.layers.append(batch_norm(stage_channels, running_statistics))
            self.layers.append(nn.ReLU(inplace=True))
            width = stage_channels
        self.out_features = width * (input_size // 2 ** (len(channels) - 1)) ** 2
        initialise(self, "fan_in")

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_features) of images (N, in_channels, input_size, input_size)."""
        features: Tensor = self.layers(x).flatten(1)
        return features
