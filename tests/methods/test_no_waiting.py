"""A step of training asks the device for nothing: else a GPU would stand idle at each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from iic.data.maps import IGNORED
from iic.engine.task import Task
from iic.methods.deepcluster.map_task import DeepClusterMapTask
from iic.methods.iic.map_task import SegmentationTask
from iic.methods.iic.task import ClusteringTask
from iic.methods.imc_swav.task import IMCSwAVTask
from tests.engine import scenes, tiny
from tests.methods.iic.test_maps import context as map_context
from tests.methods.imc_swav.imc_helpers import context as imc_context

CPU = torch.device("cpu")
# what gives the host a number, or a tensor whose shape depends on numbers
READS = ("tolist", "item", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__")
WAITS = ("_local_scalar_dense", "nonzero", "bincount", "_unique2", "masked_select", "equal")


class Waited(Exception):
    """An operation for which a GPU would have to be waited for."""


class _Functions(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in READS:
            raise Waited(func.__name__)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        places = args[1] if name == "index" else ()
        by_mask = any(place is not None and place.dtype == torch.bool for place in places)
        if name in WAITS or by_mask:
            raise Waited(name)
        return func(*args, **(kwargs or {}))


def step(task: Task[Any], head: str) -> None:
    """Forward and backward pass of a batch, after the first, which builds what is kept."""
    for seed in (0, 1):
        draw = torch.Generator().manual_seed(seed)
        with _Functions(), _Operations():
            loss = task.loss(head, torch.arange(4), draw)
            loss.mean().backward()  # type: ignore[no-untyped-call]


def clustering(folder: Path) -> tuple[Task[Any], str]:
    return ClusteringTask(tiny.context(folder), CPU), "B"


def segmentation(folder: Path) -> tuple[Task[Any], str]:
    run = scenes.context(folder)
    run.data.labels[0] = IGNORED
    return SegmentationTask(run, CPU), "A"


def deepcluster(folder: Path) -> tuple[Task[Any], str]:
    return DeepClusterMapTask(map_context(folder, "deepcluster", balanced=True), CPU), "pixels"


def imc_swav(folder: Path) -> tuple[Task[Any], str]:
    return IMCSwAVTask(imc_context(folder, frozen_prototypes=0), CPU), "crops"


@pytest.mark.parametrize("make", [clustering, segmentation, deepcluster, imc_swav])
def test_a_step_waits_for_nothing(
    tmp_path: Path, make: Callable[[Path], tuple[Task[Any], str]]
) -> None:
    task, head = make(tmp_path)
    # network and images lie on the device before the first step
    task.loss(head, torch.arange(4), torch.Generator().manual_seed(9))
    step(task, head)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: bool((x > 0).any()),
        lambda x: x.tolist(),
        lambda x: x[x > 0],
        lambda x: torch.bincount(x.long()),
        lambda x: float(x.sum()),
        lambda x: x.nonzero(),
        lambda x: x.cpu(),
    ],
)
def test_what_would_wait_is_noticed(wait: Callable[[torch.Tensor], Any]) -> None:
    with pytest.raises(Waited), _Functions(), _Operations():
        wait(torch.ones(3))
