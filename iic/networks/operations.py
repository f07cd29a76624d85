"""Operations of one image's pass, counted on the network itself (`torch.utils.flop_counter`).

Everything is on the device "meta", where tensors have shapes and no numbers: a network of any size
takes no memory and no arithmetic.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from iic.params.operations import NetworkPass, NotCounted, Operations
from iic.params.runs import Plan

IMAGES = 2
"""BatchNorm in training refuses a single value per channel."""


@cache
def count(way: NetworkPass) -> Operations:
    """Build the network and send blank images through it, forward and backward.

    Raises:
        NotCounted: The network cannot be built, or takes no such images.
    """
    try:
        return _count(way)
    except Exception as error:
        raise NotCounted(f"{way.key}: cannot be counted: {error}") from error


def _count(way: NetworkPass) -> Operations:
    module, _, name = way.builder.rpartition(".")
    build = getattr(importlib.import_module(module), name)
    side = way.settings.input_size
    with torch.device("meta"):
        network = build(way.settings, **way.others)
        values = torch.empty(IMAGES, way.settings.in_channels, side, side)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        for part in way.route or ("__call__",):
            values = getattr(network, part)(values)
        forward = counter.get_total_flops()
        if values.requires_grad:
            torch.autograd.backward(values.sum())
    return Operations(forward // IMAGES, counter.get_total_flops() // IMAGES)


def counted(plans: Iterable[Plan]) -> dict[str, Operations]:
    """Operations of every pass that the runs of some plans make, by its key."""
    kept: dict[str, Operations] = {}

    def note(way: NetworkPass) -> Operations:
        kept[way.key] = count(way)
        return kept[way.key]

    for plan in plans:
        for run in plan.runs.values():
            run.settings.cost(plan.datasets[run.dataset], note)
    return kept
