"""Network C with a head on pairs of feature patches (Table 4, rows "Doersch 2015", "Isola 2016").

The trunk's map is stretched to the input's size, two square patches are cut from it, both go
through one branch (3x3 convolution, BatchNorm, ReLU), and two fully connected layers judge them
side by side (docs/spec/baselines.md#patch-network). What is clustered in the end is the stretched
map.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from iic.methods.patch_pairs.settings import PatchHeadSettings
from iic.networks.layers import batch_norm, initialise
from iic.networks.parted_batchnorm import part_batchnorm
from iic.networks.segmentation import SegmentationTrunk, build_segmentation_trunk
from iic.params.segmentation import SegmentationNetworkSettings

LINEAR_DEVIATION = 0.01
"""Deviation of a fully connected layer's first weights (docs/spec/baselines.md#patch-network)."""


class PatchPairNetwork(nn.Module):
    """A trunk, and a head that sees two patches of its map.

    Args:
        trunk: Maps images (N, channels, S, S) to features (N, d, h, h).
        side: Side of a patch in pixels of the input, odd.
        head: Widths of branch and joint layers.
        outputs: Numbers that the head gives for a pair.
        running_statistics: Whether the branch's BatchNorm keeps running statistics.
    """

    def __init__(
        self,
        trunk: SegmentationTrunk,
        *,
        side: int,
        head: PatchHeadSettings,
        outputs: int,
        running_statistics: bool,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.side = side
        self.branch = nn.Sequential(
            nn.Conv2d(trunk.out_features, head.branch_channels, 3, padding=1, bias=False),
            batch_norm(head.branch_channels, running_statistics),
            nn.ReLU(inplace=True),
        )
        initialise(self.branch, "fan_in")
        self.joint = nn.Sequential(
            nn.Linear(2 * head.branch_channels * side**2, head.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(head.dropout),
            nn.Linear(head.hidden, outputs),
        )
        for layer in self.joint:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=LINEAR_DEVIATION)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, centre: Tensor, other: Tensor) -> Tensor:
        """Outputs (N, outputs) for the pair of patches of each image.

        Args:
            x: Images (N, channels, H, W).
            centre: Row and column of the first patch's centre in pixels of the images, (N, 2)
                int64, or (1, 2) for all images.
            other: Of the second patch's.
        """
        features: Tensor = self.trunk(x)
        pair = []
        # one after the other, as published: each has BatchNorm's statistics of its own
        for corner in (centre, other):
            patch = cut_stretched(features, corner, self.side, (x.shape[-2], x.shape[-1]))
            pair.append(self.branch(patch).flatten(1))
        outputs: Tensor = self.joint(torch.cat(pair, dim=1))
        return outputs


def cut_stretched(features: Tensor, centres: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Patches of a map as if it had been stretched before; only their pixels are computed.

    Bilinear stretching is linear in the map and separable, so a patch is a product with few rows of
    two matrices; the whole stretched map of a batch would be gigabytes.

    Args:
        features: Maps (N, d, h, w).
        centres: Central row and column of each patch, (N or 1, 2); the patch must lie inside.
        side: Side of the patches, odd.
        size: Height and width of the stretched maps.

    Returns:
        (N, d, side, side), float32, or float64 of a map in float64.
    """
    kind = torch.promote_types(features.dtype, torch.float32)
    span = torch.arange(side, device=features.device) - side // 2
    rows, columns = (
        stretching(length, target, features.device, kind)[centres[:, axis, None] + span]
        for axis, (length, target) in enumerate(zip(features.shape[-2:], size, strict=True))
    )
    count = len(features)
    # bfloat16 would round the weights of the interpolation
    with torch.autocast(features.device.type, enabled=False):
        wide = features.to(kind)
        if len(centres) == 1:
            return torch.einsum("ph,nchw,qw->ncpq", rows[0], wide, columns[0])
        assert len(centres) == count, (len(centres), count)
        upright = torch.einsum("nph,nchw->ncpw", rows, wide)
        return torch.einsum("ncpw,nqw->ncpq", upright, columns)


def stretching(length: int, target: int, device: torch.device, kind: torch.dtype) -> Tensor:
    """The matrix (target, length) that stretches a line as bilinear interpolation does.

    Pixels are squares, and corners are not aligned, as `torch.nn.functional.interpolate` has it.
    """
    coordinate = (torch.arange(target, dtype=torch.float64) + 0.5) * length / target - 0.5
    coordinate = coordinate.clamp(min=0)
    first = coordinate.long().clamp(max=length - 1)
    second = (first + 1).clamp(max=length - 1)
    share = coordinate - first
    line = torch.arange(target)
    matrix = torch.zeros(target, length, dtype=torch.float64)
    matrix[line, first] += 1 - share
    matrix[line, second] += share
    return matrix.to(device, kind)


def build_patch_pairs(
    settings: SegmentationNetworkSettings, side: int, head: PatchHeadSettings, outputs: int
) -> PatchPairNetwork:
    """A freshly initialised network on the CPU: trunk first, then branch, then joint layers.

    All randomness comes from torch's global generator: seed it before. The trunk is that of the
    segmentation network of the same seed.
    """
    network = PatchPairNetwork(
        build_segmentation_trunk(settings),
        side=side,
        head=head,
        outputs=outputs,
        running_statistics=settings.batchnorm_running_statistics,
    )
    part_batchnorm(network, settings.batchnorm_parts)
    return network


def pair_pass(
    settings: SegmentationNetworkSettings, side: int, head: PatchHeadSettings, outputs: int
) -> Callable[[Tensor], Tensor]:
    """An image's way in training, for its operations (`iic.params.operations`).

    Whatever two patches hold and wherever they lie, they take the same.
    """
    network = build_patch_pairs(settings, side, head, outputs)

    def answer(images: Tensor) -> Tensor:
        patch = functional.interpolate(network.trunk(images), size=side)
        pair = [network.branch(patch).flatten(1) for _ in range(2)]
        answers: Tensor = network.joint(torch.cat(pair, dim=1))
        return answers

    return answer
