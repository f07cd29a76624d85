"""Network A: a ResNet-34 trunk for small images (supplement, Table 1, column A).

Unlike ResNet-34 for ImageNet, the stem is one 3x3 convolution of stride 1 and a 2x2 max-pooling,
which is padded by 1: a map of s pixels becomes one of s // 2 + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iic.networks.layers import batch_norm, convolution, initialise


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, projected by a 1x1 convolution where shapes differ."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, running_statistics: bool
    ) -> None:
        super().__init__()
        self.conv1 = convolution(in_channels, channels, 3, stride)
        self.bn1 = batch_norm(channels, running_statistics)
        self.conv2 = convolution(channels, channels, 3)
        self.bn2 = batch_norm(channels, running_statistics)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                convolution(in_channels, channels, 1, stride),
                batch_norm(channels, running_statistics),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, s, s) to (N, channels, s', s'), s' = ceil(s / stride)."""
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out = self.relu(out + self.shortcut(x))
        return out


class ResNetTrunk(nn.Module):
    """Stem, stages of basic blocks, average over the whole last map.

    Args:
        in_channels: Channels of the input.
        input_size: Side of the input in pixels.
        channels: Output channels of each stage; the stem has those of the first.
        blocks: Basic blocks of each stage. Every stage but the first halves the map.
        running_statistics: Whether BatchNorm keeps running statistics for evaluation.

    Attributes:
        out_features: Length of a feature vector, 512 in the paper.
        penultimate_features: Length of a vector of `penultimate`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        input_size: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        running_statistics: bool,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            convolution(in_channels, channels[0], 3),
            batch_norm(channels[0], running_statistics),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=2, stride=2, padding=1),
        )
        sizes = [input_size // 2 + 1]
        stages: list[nn.Module] = []
        width = channels[0]
        for index, (stage_channels, count) in enumerate(zip(channels, blocks, strict=True)):
            first_stride = 1 if index == 0 else 2
            stage = nn.Sequential()
            for block in range(count):
                stride = first_stride if block == 0 else 1
                stage.append(BasicBlock(width, stage_channels, stride, running_statistics))
                width = stage_channels
            stages.append(stage)
            sizes.append((sizes[-1] - 1) // first_stride + 1)
        self.stages = nn.ModuleList(stages)
        self.pool = nn.AvgPool2d(sizes[-1], stride=1)
        self.out_features = channels[-1]
        self.penultimate_features = channels[-2] * sizes[-2] ** 2
        initialise(self, "fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_features) of images (N, in_channels, input_size, input_size)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        features: Tensor = self.pool(x).flatten(1)
        return features

    def penultimate(self, x: Tensor) -> Tensor:
        """Flattened map before the last stage, (N, penultimate_features).

        These are the features that the paper's finetuned classifier starts from.
        """
        x = self.stem(x)
        for stage in self.stages[:-1]:
            x = stage(x)
        return x.flatten(1)
