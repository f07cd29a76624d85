"""A GPU that is not there: tensors of device "cuda" without memory, so that a step can be tried.

What belongs on the device is a fake tensor (`torch._subclasses.fake_tensor`), which has a device, a
shape and a type, and no values. What is the host's stays real. So a step fails here where it would
on a GPU, or would wait for one: operations on tensors of both devices, and values that are read on
the host. Autograd starts the driver, so nothing goes backward here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda", 0)


class CudaGenerator(torch.Generator):
    """A generator that says it is the GPU's."""

    device = CUDA  # type: ignore[assignment]


class FakeCuda(TorchFunctionMode):
    """Inside, whatever is asked for on the device, or made of such tensors, is fake."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_fallback_kernels=False)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = (args, kwargs or {})
        leaves = tree_leaves(given)
        if any(isinstance(leaf, torch.device) and leaf.type == "cuda" for leaf in leaves):
            given = tree_map(self._moved, given)
        elif not any(isinstance(leaf, FakeTensor) for leaf in leaves):
            return func(*args, **given[1])
        with self.fake:
            return func(*given[0], **given[1])

    def _moved(self, leaf: Any) -> Any:
        real = isinstance(leaf, torch.Tensor) and not isinstance(leaf, FakeTensor)
        return self.fake.from_tensor(leaf) if real else leaf


def _apply(module: nn.Module, function: Callable[..., Any], recurse: bool = True) -> nn.Module:
    """``nn.Module._apply``, which cannot exchange real tensors for fake ones."""
    for part in module.modules():
        for key, own in part._parameters.items():
            if own is not None:
                with torch.no_grad():
                    part._parameters[key] = nn.Parameter(function(own), own.requires_grad)
        for key, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[key] = function(buffer)
    return module


@contextlib.contextmanager
def fake_cuda() -> Iterator[None]:
    """Inside, `CUDA` is a device that tensors can be moved to."""
    with (
        mock.patch.object(nn.Module, "_apply", _apply),
        mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: tensor),
        mock.patch.object(torch.cuda, "mem_get_info", lambda *_: (1 << 40, 1 << 40)),
        FakeCuda(),
    ):
        yield
