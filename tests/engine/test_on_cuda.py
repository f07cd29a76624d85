"""Every trained method's step with tensors of device "cuda": no mix of devices, no host sync."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor

from iic.data.load import load
from iic.data.load_maps import load_maps
from iic.engine.context import RunContext
from iic.engine.map_context import MapContext
from iic.engine.task import Task
from iic.params.classifiers import FixedFeatureSettings
from iic.params.runs import Run, load_plan
from iic.records.paths import RunPaths
from tests.conftest import clone_to, run_in
from tests.engine.fake_cuda import CUDA, CudaGenerator, fake_cuda

PLAN = load_plan("smoke")
TRAINED = {
    run.method: run
    for run in reversed(PLAN.runs.values())
    if hasattr(run.settings, "compute") and not isinstance(run.settings, FixedFeatureSettings)
}
"""Module of a method -> its first run."""
FOUND_BEFORE = ("scale", "standard", "places", "colours")
"""What tasks find in the images before the first step, and keep."""
PREPARE = """
import sys
from iic.cli.app import app
for dataset in sys.argv[1:]:
    for verb in ("download", "prepare"):
        app([verb, "--dataset", dataset], standalone_mode=False)
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the data of all these runs."""
    clone = clone_to(tmp_path_factory.mktemp("prepared") / "clone")
    done = run_in(clone, "-c", PREPARE, *sorted({run.dataset for run in TRAINED.values()}))
    assert done.returncode == 0, done.stderr[-2000:]
    return clone


def task_of(
    run: Run, root: Path, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> Task[Any]:
    """What the method would train, untrained."""
    dataset = PLAN.datasets[run.dataset]
    maps = dataset.maps is not None
    # without the weights of another run
    alone = {"start_from": None} if hasattr(run.settings, "start_from") else {}
    context = (MapContext if maps else RunContext)(
        data=(load_maps if maps else load)(run.dataset, root),  # type: ignore[arg-type]
        classes=len(dataset.classes),
        settings=run.settings.model_copy(update=alone),
        seed=0,
        paths=RunPaths("smoke", run.id, 0),
        fingerprint="0" * 64,
        root=root,
    )
    tasks: list[Task[Any]] = []

    def noted(context: Any, build: Any) -> None:
        tasks.append(build(context, device))
        raise InterruptedError

    monkeypatch.setattr("iic.engine.run.run", noted)
    with pytest.raises(InterruptedError):
        importlib.import_module(run.method).train(context)
    return tasks[0]


def on_cuda(found: Any) -> Any:
    """A number, or tensors, those on the device."""
    if not isinstance(found, tuple):
        return found
    moved = [tensor.to(CUDA) for tensor in found]
    return type(found)(*moved) if hasattr(found, "_fields") else tuple(moved)


@pytest.mark.parametrize("method", list(TRAINED))
def test_a_step_stays_on_the_gpu(
    method: str, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TRAINED[method]
    # what comes before a step may use the host: it is done by a task on the CPU
    host = task_of(run, prepared, torch.device("cpu"), monkeypatch)
    host.begin_epoch(0, host.optimiser())
    with fake_cuda():
        task = task_of(run, prepared, CUDA, monkeypatch)
        for name in FOUND_BEFORE:
            if name in vars(host):
                setattr(task, name, on_cuda(getattr(host, name)))
        optimiser = task.optimiser()
        for group in optimiser.param_groups:
            group["fused"] = False  # fake tensors know no fused kernel of SGD
        for position, head in enumerate(host.passes_of(0)):
            batch = host.order(0, position)[0]
            losses = task.loss(head, batch, CudaGenerator())
            assert isinstance(losses, FakeTensor) and losses.device == CUDA, losses
            assert losses.ndim == 1 and losses.dtype == torch.float32 and losses.requires_grad
            for parameter in task.network.parameters():
                assert parameter.device == CUDA
                parameter.grad = torch.zeros_like(parameter)
            optimiser.step()


def test_what_would_go_wrong_on_a_gpu_goes_wrong_here() -> None:
    host = torch.ones(3)
    with fake_cuda():
        device = host.to(CUDA)
        assert (device + 1).device == CUDA
        with pytest.raises(Exception, match=r"(?i)fake"):  # a mix of devices
            device + host
        with pytest.raises(Exception, match=r"(?i)generator|device"):
            device + torch.rand(3, generator=torch.Generator())
        with pytest.raises(DataDependentOutputException):  # a wait for the device
            float(device.sum())
        with pytest.raises(Exception, match=r"(?i)data|dynamic|nonzero"):
            device[device > 0]
