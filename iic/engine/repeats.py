"""Each original goes through the network once, although a batch repeats it r times.

The released code pushes r copies of the same original crops. BatchNorm's mean and biased
variance over r copies are those of one copy, so outputs and gradients are the same when the
unique originals are pushed alone and their outputs counted r times. Only the running variance
differs: it is unbiased by M / (M - 1), and r copies have r times as many values per channel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


@contextlib.contextmanager
def repeated(network: nn.Module, repeats: int) -> Iterator[None]:
    """Inside, `network`'s running variances are updated as if each input came `repeats` times.

    With M values per channel in the unique batch, the unbiased variance of r copies is that of
    one copy times (M - 1) / (M - 1/r).
    """
    tracked = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    if repeats == 1 or not network.training or not tracked:
        yield
        return
    before = {module: _variance(module).clone() for module in tracked}
    values: dict[nn.Module, int] = {}

    def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        values[module] = inputs[0].numel() // inputs[0].shape[1]

    handles = [module.register_forward_pre_hook(count) for module in tracked]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        for module in tracked:
            if module not in values:
                continue
            number = values[module]
            factor = (number - 1) / (number - 1 / repeats)
            kept = before[module] * (1 - (module.momentum or 0.0))
            # through .data: autograd keeps the buffer for backward, where training mode ignores it
            variance = _variance(module).data
            variance.copy_(kept + (variance - kept) * factor)


def _variance(module: nn.modules.batchnorm._BatchNorm) -> torch.Tensor:
    assert module.running_var is not None
    return module.running_var
