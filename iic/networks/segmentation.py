"""Network C with its heads: cluster probabilities of pixels (supplement, Table 1, column C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iic.networks.heads import logits_of
from iic.networks.layers import batch_norm, initialise
from iic.networks.map_heads import MapHeads
from iic.networks.parted_batchnorm import part_batchnorm
from iic.params.segmentation import SegmentationNetworkSettings


class SegmentationTrunk(nn.Module):
    """Six 3x3 convolutions with BatchNorm and ReLU, one 2x2 max-pooling after the second.

    The last two are dilated by 2 but padded by 1 only, so that each takes 2 pixels off the map's
    side: 128 pixels become a map of 60, 200 become 96. A position of the map sees 30 pixels.

    Args:
        in_channels: Channels of the input.
        channels: Output channels of the first and second convolution, of the third and fourth, and
            of the fifth and sixth. Paper: 64, 128, 256, 512.
        running_statistics: Whether BatchNorm keeps running statistics for evaluation.

    Attributes:
        out_features: Channels of the map, 512 in the paper.
    """

    def __init__(
        self, *, in_channels: int, channels: Sequence[int], running_statistics: bool
    ) -> None:
        super().__init__()
        first, second, third, last = channels
        self.layers = nn.Sequential()
        self._append(in_channels, first, 1, running_statistics)
        self._append(first, second, 1, running_statistics)
        self.layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        self._append(second, third, 1, running_statistics)
        self._append(third, third, 1, running_statistics)
        self._append(third, last, 2, running_statistics)
        self._append(last, last, 2, running_statistics)
        self.out_features = last
        initialise(self, "fan_in")

    def _append(
        self, in_channels: int, channels: int, dilation: int, running_statistics: bool
    ) -> None:
        self.layers.append(
            nn.Conv2d(in_channels, channels, 3, padding=1, dilation=dilation, bias=False)
        )
        self.layers.append(batch_norm(channels, running_statistics))
        self.layers.append(nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_features, H // 2 - 4, W // 2 - 4) of images (N, in_channels, H, W)."""
        features: Tensor = self.layers(x)
        return features


class SegmentationNetwork(nn.Module):
    """A shared trunk and named heads, of which each forward pass uses one.

    In the two-head form, ``A`` is the overclustering head and ``B`` the main one.

    Args:
        trunk: Maps images to features (N, d, h', w').
        heads: Heads by name, each on d features.
        precise_heads: Whether heads are float32 under autocast too.
    """

    def __init__(
        self, trunk: nn.Module, heads: Mapping[str, MapHeads], precise_heads: bool = True
    ) -> None:
        super().__init__()
        if not heads:
            raise ValueError("a network needs at least one head")
        self.trunk = trunk
        self.precise_heads = precise_heads
        self.heads = nn.ModuleDict(heads)

    def head(self, name: str | None = None) -> MapHeads:
        """The head of that name, or the only one.

        Raises:
            ValueError: There is no such head, or no name was given and there are several.
        """
        if name is None and len(self.heads) == 1:
            name = next(iter(self.heads))
        if name is None or name not in self.heads:
            raise ValueError(f"no head {name!r}: this network has {', '.join(self.heads)}")
        head = self.heads[name]
        assert isinstance(head, MapHeads)
        return head

    def features(self, x: Tensor) -> Tensor:
        """The trunk's features (N, d, h', w') of images (N, channels, H, W)."""
        features: Tensor = self.trunk(x)
        return features

    def forward(self, x: Tensor, head: str | None = None) -> Tensor:
        """Cluster probabilities (N, h, k, H, W) of the pixels of images (N, channels, H, W).

        The small maps of probabilities, not of logits, are stretched to the images' size (H x W,
        not twice the map: docs/spec/released_code.md#head-padding), so that they still sum to 1.
        With padded heads all clusters are equal, to the last bit, in the images' outermost pixels.
        Probabilities are float32 also under autocast, and float64 for a network in float64.
        """
        logits = logits_of(self.head(head), self.features(x), self.precise_heads)
        z = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=2)
        # each map as an image of one channel, so that all clusters see the same arithmetic: with
        # several, their last bits decide whose the uniform frame of padded heads is
        stretched = functional.interpolate(
            z.flatten(0, 2).unsqueeze(1), size=x.shape[-2:], mode="bilinear", align_corners=False
        )
        return stretched.reshape(*z.shape[:3], *x.shape[-2:])


def build_segmentation_trunk(settings: SegmentationNetworkSettings) -> SegmentationTrunk:
    """A freshly initialised trunk on the CPU, from torch's global generator."""
    trunk = SegmentationTrunk(
        in_channels=settings.in_channels,
        channels=settings.channels,
        running_statistics=settings.batchnorm_running_statistics,
    )
    part_batchnorm(trunk, settings.batchnorm_parts)
    return trunk


def build_segmentation(
    settings: SegmentationNetworkSettings,
    heads: Mapping[str, int],
    sub_heads: int,
    precise_heads: bool = True,
) -> SegmentationNetwork:
    """A freshly initialised network on the CPU.

    All randomness comes from torch's global generator: seed it before. Trunk first, then the
    heads by the order of their names, so that the order of the mapping does not matter.

    Args:
        settings: Trunk and the heads' padding.
        heads: Name of each head and its number of clusters k, e.g. ``{"A": 24, "B": 3}``.
        sub_heads: Number h of sub-heads of every head; 1 in the paper.
        precise_heads: Whether heads are float32 under autocast too.

    Raises:
        ValueError: No heads, a k below 2, or no sub-heads.
    """
    if not heads or sub_heads < 1 or any(k < 2 for k in heads.values()):
        raise ValueError(
            f"heads {dict(heads)} with {sub_heads} sub-heads: at least one head, at least one "
            "sub-head and at least 2 clusters per head are needed"
        )
    trunk = build_segmentation_trunk(settings)
    return SegmentationNetwork(
        trunk,
        {
            name: MapHeads(trunk.out_features, sub_heads, heads[name], settings.head_padding)
            for name in sorted(heads)
        },
        precise_heads,
    )
