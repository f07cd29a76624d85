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


class RepeatedOriginals:
    """Corrects a trunk's running variances for originals that are pushed once instead of r times.

    How many values each BatchNorm averages over is found once, by an image of zeros, and not by
    hooks in training, which ``torch.compile`` would drop.

    Args:
        trunk: Network whose BatchNorms are meant.
        shape: Shape (C, H, W) of its input.
    """

    def __init__(self, trunk: nn.Module, shape: tuple[int, int, int]) -> None:
        self._trunk = trunk
        self._values: dict[nn.modules.batchnorm._BatchNorm, int] = {}
        tracked = [
            module
            for module in trunk.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        ]
        if not tracked:
            return

        def count(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            assert isinstance(module, nn.modules.batchnorm._BatchNorm)
            self._values[module] = inputs[0][0, 0].numel()

        handles = [module.register_forward_pre_hook(count) for module in tracked]
        weight = next(trunk.parameters())
        training = trunk.training
        trunk.eval()
        with torch.no_grad():
            trunk(torch.zeros(1, *shape, dtype=weight.dtype, device=weight.device))
        trunk.train(training)
        for handle in handles:
            handle.remove()

    @contextlib.contextmanager
    def counted(self, images: int, repeats: int) -> Iterator[None]:
        """Inside, a batch of `images` updates the statistics as if each came `repeats` times.

        With M values per channel in the unique batch, the unbiased variance of r copies is that
        of one copy times (M - 1) / (M - 1/r).
        """
        if repeats == 1 or not self._trunk.training or not self._values:
            yield
            return
        before = {module: _variance(module).clone() for module in self._values}
        yield
        with torch.no_grad():
            for module, per_image in self._values.items():
                number = images * per_image
                factor = (number - 1) / (number - 1 / repeats)
                kept = before[module] * (1 - (module.momentum or 0.0))
                variance = _variance(module)
                variance.copy_(kept + (variance - kept) * factor)


def _variance(module: nn.modules.batchnorm._BatchNorm) -> torch.Tensor:
    assert module.running_var is not None
    # through .data: autograd keeps the buffer for backward, where training mode ignores it
    return module.running_var.data
