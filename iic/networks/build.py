"""From settings to a network."""

from __future__ import annotations

from collections.abc import Mapping

from iic.networks.heads import WEIGHT_STD, SubHeads
from iic.networks.parted_batchnorm import part_batchnorm
from iic.networks.resnet import ResNetTrunk
from iic.networks.two_head import ClusteringNetwork
from iic.networks.vgg import VGGTrunk
from iic.params.networks import NetworkSettings


def build_trunk(settings: NetworkSettings) -> ResNetTrunk | VGGTrunk:
    """A freshly initialised trunk; its attribute `out_features` is the length of its features."""
    trunk: ResNetTrunk | VGGTrunk
    if settings.family == "A":
        trunk = ResNetTrunk(
            in_channels=settings.in_channels,
            input_size=settings.input_size,
            channels=settings.stage_channels,
            blocks=settings.stage_blocks,
            running_statistics=settings.batchnorm_running_statistics,
        )
    else:
        trunk = VGGTrunk(
            in_channels=settings.in_channels,
            input_size=settings.input_size,
            channels=settings.stage_channels,
            running_statistics=settings.batchnorm_running_statistics,
        )
    part_batchnorm(trunk, settings.batchnorm_parts)
    return trunk


def build(
    settings: NetworkSettings,
    heads: Mapping[str, int],
    sub_heads: int,
    precise_heads: bool = True,
    deviation: float = WEIGHT_STD,
) -> ClusteringNetwork:
    """A freshly initialised network on the CPU.

    All randomness comes from torch's global generator: seed it before. Trunk first, then the
    heads by the order of their names, so that the order of the mapping does not matter.

    Args:
        settings: The trunk.
        heads: Name of each head and its number of clusters k, e.g. ``{"A": 70, "B": 10}``.
        sub_heads: Number h of sub-heads of every head.
        precise_heads: Whether heads are float32 under autocast too.
        deviation: Standard deviation of the heads' initial weights.

    Raises:
        ValueError: No heads, a k below 2, or no sub-heads.
    """
    if not heads or sub_heads < 1 or any(k < 2 for k in heads.values()):
        raise ValueError(
            f"heads {dict(heads)} with {sub_heads} sub-heads: at least one head, at least one "
            "sub-head and at least 2 clusters per head are needed"
        )
    trunk = build_trunk(settings)
    return ClusteringNetwork(
        trunk,
        {
            name: SubHeads(trunk.out_features, sub_heads, heads[name], deviation)
            for name in sorted(heads)
        },
        precise_heads,
    )
