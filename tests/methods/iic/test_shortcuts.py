"""Each shortcut of the engine against the plain formulation, in float64."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from iic.methods.iic.map_task import SegmentationTask
from iic.methods.iic.repeats import RepeatedOriginals
from iic.methods.iic.task import ClusteringTask
from iic.networks.build import build
from iic.objective.clustering import clustering_loss
from iic.params.networks import NetworkSettings
from tests.engine import scenes, tiny

FAMILIES = [
    NetworkSettings(family="A", input_size=16, in_channels=1, channels=(4, 8), blocks=(1, 1)),
    NetworkSettings(family="B", input_size=8, in_channels=1, channels=(4, 8)),
    NetworkSettings(
        family="B",
        input_size=8,
        in_channels=1,
        channels=(4, 8),
        batchnorm_running_statistics=False,
    ),
]


@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("settings", FAMILIES, ids=["A", "B", "B without statistics"])
def test_unique_originals_equal_pushing_every_copy(settings: NetworkSettings, repeats: int) -> None:
    torch.manual_seed(0)
    plain = build(settings, {"B": 5}, sub_heads=3).double()
    quick = copy.deepcopy(plain)
    size = settings.input_size
    originals = torch.rand(6, 1, size, size, dtype=torch.float64)
    transformed = torch.rand(6 * repeats, 1, size, size, dtype=torch.float64)

    # as released: every copy of every original goes through the network, every pair is counted
    z = plain(originals.repeat(repeats, 1, 1, 1), "B")
    z_transformed = plain(transformed, "B")
    joint = torch.einsum("nhi,nhj->hij", z, z_transformed)
    joint = (joint + joint.mT) / 2
    joint = joint / joint.sum(dim=(1, 2), keepdim=True)
    rows, columns = joint.sum(2, keepdim=True), joint.sum(1, keepdim=True)
    plain_loss = -(joint * (joint.log() - rows.log() - columns.log())).sum((1, 2))
    plain_loss.mean().backward()

    once = RepeatedOriginals(quick.trunk, (1, size, size))
    with once.counted(6, repeats):
        z = quick(originals, "B")
    summed = quick(transformed, "B").unflatten(0, (repeats, 6)).sum(0)
    quick_loss = clustering_loss(z, summed)
    quick_loss.mean().backward()

    torch.testing.assert_close(quick_loss, plain_loss, rtol=1e-12, atol=1e-13)
    gradients = {name: p.grad for name, p in plain.named_parameters()}
    for name, parameter in quick.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-8, atol=1e-12)
    buffers = dict(plain.named_buffers())
    assert bool(buffers) == settings.batchnorm_running_statistics
    for name, buffer in quick.named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-12, atol=1e-14)


def test_without_the_correction_the_running_variance_differs() -> None:
    """So that the test above would notice a correction that does nothing."""
    torch.manual_seed(0)
    plain = build(FAMILIES[1], {"B": 5}, sub_heads=1).double()
    quick = copy.deepcopy(plain)
    originals = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    plain(originals.repeat(4, 1, 1, 1), "B")
    quick(originals, "B")
    name = next(name for name, _ in plain.named_buffers() if name.endswith("running_var"))
    difference = dict(plain.named_buffers())[name] - dict(quick.named_buffers())[name]
    assert difference.abs().max() > 1e-6


def test_evaluation_mode_leaves_the_statistics_alone() -> None:
    network = build(FAMILIES[1], {"B": 5}, sub_heads=1).eval()
    before = copy.deepcopy(dict(network.named_buffers()))
    once = RepeatedOriginals(network.trunk, (1, 8, 8))
    for name, buffer in network.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)
    with once.counted(3, 5):
        network(torch.rand(3, 1, 8, 8), "B")
    for name, buffer in network.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("settings", FAMILIES[:2], ids=["A", "B"])
def test_the_correction_survives_torch_compile(settings: NetworkSettings) -> None:
    torch.manual_seed(0)
    plain = build(settings, {"B": 5}, sub_heads=1).double()
    quick = copy.deepcopy(plain)
    size = settings.input_size
    originals = torch.rand(4, 1, size, size, dtype=torch.float64)
    plain(originals.repeat(3, 1, 1, 1), "B")
    compiled = torch.compile(quick, backend="eager")
    with RepeatedOriginals(quick.trunk, (1, size, size)).counted(4, 3):
        compiled(originals, "B")
    expected = dict(plain.named_buffers())
    for name, buffer in quick.named_buffers():
        torch.testing.assert_close(buffer, expected[name], rtol=1e-12, atol=1e-14)


def pushed_apart(network: torch.nn.Module, x: torch.Tensor, parts: int, head: str) -> torch.Tensor:
    """What ``DataParallel`` gives: each chunk through a copy, the first one's statistics kept."""
    first, *others = x.chunk(parts)
    outputs = [copy.deepcopy(network)(chunk, head) for chunk in others]
    return torch.cat([network(first, head), *outputs])


# of 5 x 4 copies a part of 10 has three of some originals and two of others
@pytest.mark.parametrize(("repeats", "parts"), [(1, 3), (2, 2), (5, 2)])
def test_with_batchnorm_in_parts_every_copy_is_pushed(
    tmp_path: Path, repeats: int, parts: int
) -> None:
    changes = {"pairs": {"batch_pairs": 4 * repeats, "repeats": repeats}}
    plain, parted = (
        ClusteringTask(
            tiny.context(tmp_path, network={"batchnorm_parts": number}, **changes),
            torch.device("cpu"),
        )
        for number in (1, parts)
    )
    assert (plain.copies, parted.copies) == (1, repeats)
    network = plain.network.double()
    parted.network.double()
    draw = torch.Generator().manual_seed(1)
    images = plain.store.batch(torch.arange(4))
    originals = plain.augmentation.original(images, draw).double()
    transformed = plain.augmentation.transformed(images, repeats, draw).double()
    z = pushed_apart(network, originals.repeat(repeats, 1, 1, 1), parts, "B")
    z_transformed = pushed_apart(network, transformed, parts, "B")
    expected = clustering_loss(z, z_transformed)

    forward = parted.forward
    parted.forward = lambda part, x, *more: forward(part, x.double(), *more)  # type: ignore[method-assign]
    loss = parted.loss("B", torch.arange(4), torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    buffers = dict(network.named_buffers())
    for name, buffer in parted.network.named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-10, atol=1e-12)


def test_maps_with_batchnorm_in_parts_have_every_copy_too(tmp_path: Path) -> None:
    """Repeats without any transform: the mean over pairs is that of one repeat."""
    still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    values = []
    for repeats in (1, 2):
        run = scenes.context(
            tmp_path,
            network={"batchnorm_parts": repeats},
            augmentation={**still, "flip_probability": 0.0},
            pairs={"batch_pairs": 4 * repeats, "repeats": repeats},
        )
        task = SegmentationTask(run, torch.device("cpu"))
        assert task.copies == repeats
        # two parts of two repeats of four images are the four images twice
        loss = task.loss("B", torch.arange(4), torch.Generator().manual_seed(3))
        values.append(float(loss.detach()))
    assert values[1] == pytest.approx(values[0], abs=1e-6)


def test_heads_together_give_the_sum_of_what_each_gives_alone(tmp_path: Path) -> None:
    """In float64: the weighted losses, and the gradients of both passes on the same pairs."""

    def task(**changes: object) -> ClusteringTask:
        own = ClusteringTask(tiny.context(tmp_path, **changes), torch.device("cpu"))
        own.network.double()
        forward = own.forward
        own.forward = lambda part, x, *more: forward(part, x.double(), *more)  # type: ignore[method-assign]
        return own

    def gradients(own: ClusteringTask, head: str, weight: float) -> tuple[torch.Tensor, ...]:
        draw = torch.Generator().manual_seed(5)
        loss = weight * own.loss(head, torch.arange(8), draw)
        return loss, *torch.autograd.grad(
            loss.mean(), list(own.network.parameters()), allow_unused=True, materialize_grads=True
        )

    network = {"batchnorm_running_statistics": False}
    heads = {"head_a": {"k": 6, "passes": 2}, "heads_trained": "together", "weight_a": 0.25}
    apart = task(network=network)
    together = task(network=network, **heads)
    alone = [gradients(apart, "A", 0.25), gradients(apart, "B", 1.0)]
    both = gradients(together, "A+B", 1.0)
    for sum_of_two, value in zip(zip(*alone, strict=True), both, strict=True):
        torch.testing.assert_close(value, sum(sum_of_two), rtol=1e-9, atol=1e-12)
    assert together.passes_of(0) == ["A+B", "A+B"]


@pytest.mark.parametrize("statistics", [True, False])
def test_some_steps_of_training_are_those_with_every_copy_pushed(
    tmp_path: Path, statistics: bool
) -> None:
    """Three steps of either engine, transforms and optimiser included, end on the same weights."""
    ends = []
    for way in ("once", "repeated"):
        changes = {"pairs": {"originals": way}}
        network = {"batchnorm_running_statistics": statistics}
        run = tiny.context(tmp_path / way, network=network, **changes)
        task = ClusteringTask(run, torch.device("cpu"))
        assert task.copies == (1 if way == "once" else 3)
        task.network.double()
        forward = task.forward
        task.forward = lambda part, x, *more, own=forward: own(part, x.double(), *more)  # type: ignore[method-assign,misc]
        optimiser = torch.optim.SGD(task.network.parameters(), lr=0.1)
        for step in range(3):
            optimiser.zero_grad()
            draw = torch.Generator().manual_seed(step)
            task.loss("B", torch.arange(8 * step, 8 * step + 8), draw).mean().backward()
            optimiser.step()
        ends.append(task.network.state_dict())
    once, repeated = ends
    for name, tensor in once.items():
        torch.testing.assert_close(tensor, repeated[name], rtol=1e-9, atol=1e-11)
