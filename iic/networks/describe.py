"""What a network is made of, read off the network itself (for the supplement's Table 1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from iic.networks.parted_batchnorm import PartedBatchNorm2d
from iic.networks.resnet import BasicBlock
from iic.networks.segmentation import SegmentationNetwork
from iic.networks.two_head import ClusteringNetwork

KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv",
    nn.BatchNorm2d: "BatchNorm",
    PartedBatchNorm2d: "BatchNorm",
    nn.MaxPool2d: "MaxPool",
    nn.AvgPool2d: "AvgPool",
    nn.Linear: "Linear",
    BasicBlock: "BasicBlock",
}


@dataclass(frozen=True)
class LayerRow:
    """One layer, in the order of the forward pass; a residual block counts as one layer."""

    name: str
    """Path of the module in the network, e.g. ``trunk.stem.0``."""
    kind: str
    """Conv, BatchNorm, MaxPool, AvgPool, BasicBlock or Linear."""
    channels: int
    """Output channels; for a head the sub-heads times k."""
    kernel: int | None
    """Side of the kernel or pooling window; None where there is none."""
    stride: int | None
    padding: int | None
    dilation: int | None
    size: int
    """Side of the output map in pixels, 1 for a vector."""
    parameters: int
    """Trainable numbers."""
    macs: int
    """Multiplications with a weight per image (additions, BatchNorm and pooling not counted)."""


def describe(network: nn.Module, input_shape: tuple[int, int, int]) -> list[LayerRow]:
    """List the layers of a network that an image passes, every head included.

    The network is run once on a blank batch, in evaluation mode and without gradients; its
    weights, statistics and training mode stay as they are.

    Args:
        network: A trunk, or a trunk with heads.
        input_shape: (channels, height, width) of an image.
    """
    rows: list[LayerRow] = []
    macs: defaultdict[str, int] = defaultdict(int)
    handles = []
    row_name = ""
    for name, module in network.named_modules():
        inside_block = row_name and name.startswith(f"{row_name}.")
        if type(module) in KINDS and not inside_block:
            row_name = name
            handles.append(module.register_forward_hook(_row_hook(name, rows, macs)))
        if isinstance(module, nn.Conv2d | nn.Linear):
            # prepended, for a plain layer's own row needs the count
            hook = _mac_hook(row_name, macs)
            handles.append(module.register_forward_hook(hook, prepend=True))
    modes = {module: module.training for module in network.modules()}
    try:
        network.eval()
        with torch.no_grad():
            # two images: BatchNorm without running statistics refuses one value per channel
            first = next(network.parameters())
            x = torch.zeros(2, *input_shape, device=first.device, dtype=first.dtype)
            if isinstance(network, ClusteringNetwork | SegmentationNetwork):
                features = network.features(x)
                for head in network.heads.values():
                    head(features)
            else:
                network(x)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return rows


def _mac_hook(row: str, macs: defaultdict[str, int]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        # weight: (output channels, inputs of one output value ...)
        weight = module.weight
        assert isinstance(weight, Tensor)
        macs[row] += output[0].numel() * weight[0].numel()

    return hook


def _row_hook(name: str, rows: list[LayerRow], macs: defaultdict[str, int]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        shaped = module.conv1 if isinstance(module, BasicBlock) else module
        rows.append(
            LayerRow(
                name=name,
                kind=KINDS[type(module)],
                channels=output.shape[1],
                kernel=_side(getattr(shaped, "kernel_size", None)),
                stride=_side(getattr(shaped, "stride", None)),
                padding=_side(getattr(shaped, "padding", None)),
                dilation=_side(getattr(shaped, "dilation", None)),
                size=output.shape[2] if output.ndim == 4 else 1,
                parameters=sum(p.numel() for p in module.parameters() if p.requires_grad),
                macs=macs[name],
            )
        )

    return hook


def _side(value: int | tuple[int, ...] | None) -> int | None:
    return value[0] if isinstance(value, tuple) else value
