"""Which GPU a job takes, and how images get onto the device."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import torch._dynamo
from torch._dynamo.testing import CompileCounter

from iic.engine.device import compiled, leased_device, many_sizes
from iic.engine.map_images import MapImages
from iic.engine.seeding import derive, generator
from iic.engine.store import ImageStore
from iic.networks.build import build
from iic.params.errors import IICError
from iic.params.networks import NetworkSettings
from tests.engine import scenes


@pytest.mark.parametrize("gpus", [["GPU-1a"], ["GPU-1a", "GPU-2b"]])
def test_each_job_of_a_machine_leases_another_gpu_and_waits_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: list[str]
) -> None:
    """One GPU too: where it is the only one visible, Snakemake may start a job on every core."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(str(index) for index in range(len(gpus))))
    jobs = [leased_device(True, gpus, tmp_path) for _ in gpus]
    taken = [job.__enter__() for job in jobs]
    assert taken == [torch.device("cuda", index) for index in range(len(gpus))]
    waits = []

    def another_job_ends(seconds: float) -> None:
        waits.append(seconds)
        jobs[-1].__exit__(None, None, None)

    monkeypatch.setattr(time, "sleep", another_job_ends)
    with leased_device(True, gpus, tmp_path) as late:
        assert late == taken[-1]
    assert len(waits) == 1
    for job in jobs[:-1]:
        job.__exit__(None, None, None)


def test_a_gpu_is_leased_by_its_own_name_and_not_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler gives each of two jobs a GPU, and both see theirs as number 0."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waits for another's GPU"))
    with (
        leased_device(True, ["GPU-1a"], tmp_path) as first,
        leased_device(True, ["GPU-2b"], tmp_path) as second,
    ):
        assert first == second == torch.device("cuda", 0)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name.split("GPU-")[-1] for name in names] == ["1a.lock", "2b.lock"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_torch_names_the_gpus(tmp_path: Path) -> None:
    with leased_device(True, folder=tmp_path) as device:
        assert device.type == "cuda"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_asks_for_no_gpu_stays_on_the_cpu(tmp_path: Path) -> None:
    with leased_device(False, ["GPU-1a"], tmp_path) as device:
        assert device == torch.device("cpu")


def test_a_run_that_asks_for_a_gpu_does_not_start_without_one() -> None:
    with pytest.raises(IICError, match="gpu: true, but torch sees no GPU"), leased_device(True, []):
        pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("resident", [True, False])
def test_batches_on_a_gpu_are_the_images(resident: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 4)).astype(np.uint8)
    store = ImageStore(images, torch.device("cuda", 0), resident)
    for indices in torch.arange(20).split(6):
        batch = store.batch(indices)
        assert batch.device.type == "cuda"
        np.testing.assert_array_equal(batch.cpu().numpy(), images[indices.numpy()])


def test_batches_are_the_images_and_leave_the_source_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 4)).astype(np.uint8)
    images.flags.writeable = False
    store = ImageStore(images, torch.device("cpu"))
    seen = torch.cat([store.batch(indices) for indices in torch.arange(20).split(6)])
    np.testing.assert_array_equal(seen.numpy(), images)
    assert [len(indices) for indices in torch.arange(20).split(6)] == [6, 6, 6, 2]


def test_seeds_differ_by_place_and_are_the_same_tomorrow() -> None:
    places = [("pairs", 0, 1), ("pairs", 1, 0), ("order", 0, 1), ("pairs", 0, 11)]
    seeds = {derive(seed, *place) for seed in (0, 1) for place in places}
    assert len(seeds) == 8
    # pinned: a change of these numbers changes every result
    assert derive(0, "pairs", 0, 1) == 2026402152120414449
    cpu = torch.device("cpu")
    one, same = (torch.rand(3, generator=generator(cpu, 0, "pairs", 2)) for _ in range(2))
    torch.testing.assert_close(one, same, rtol=0, atol=0)


@pytest.mark.parametrize("area", ["centre", "whole"])
def test_cudnn_tries_no_convolutions_for_images_of_many_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, area: str
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    run = scenes.context(tmp_path, maps={"evaluation_area": area})
    images = MapImages(
        run,
        maps=run.settings.maps,
        augmentation=run.settings.augmentation,
        training=torch.arange(10),
        device=torch.device("cpu"),
    )
    seen = [torch.backends.cudnn.benchmark for _ in images.areas(images.evaluated, 3)]
    assert len(seen) == 4 and set(seen) == {area == "centre"}
    assert torch.backends.cudnn.benchmark is True
    with pytest.raises(ZeroDivisionError), many_sizes():
        assert torch.backends.cudnn.benchmark is False
        1 / 0  # noqa: B018
    assert torch.backends.cudnn.benchmark is True


@pytest.mark.parametrize("family", ["A", "B"])
def test_all_that_a_run_with_two_heads_does_is_compiled(
    monkeypatch: pytest.MonkeyPatch, family: Literal["A", "B"]
) -> None:
    """Both heads, training and evaluation, originals, transforms, and the smaller last batch."""
    graphs = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=graphs))
    blocks = (1, 1) if family == "A" else None
    settings = NetworkSettings(
        family=family, input_size=16, in_channels=1, channels=(2, 4), blocks=blocks
    )
    network = build(settings, {"A": 4, "B": 3}, 2)
    torch._dynamo.reset()
    forward = compiled(network)

    def epoch() -> None:
        for head in ("A", "B"):
            network.train()
            for images in (10, 50, 6, 30):
                forward(torch.rand(images, 1, 16, 16), head).sum().backward()
            network.eval()
            with torch.no_grad():
                for images in (10, 50, 6, 30, 20, 9):
                    forward(torch.rand(images, 1, 16, 16), head)

    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        epoch()
        compilations = graphs.frame_count
        epoch()
    # torch's own limit would not do
    assert graphs.frame_count == compilations > torch._dynamo.config.recompile_limit
