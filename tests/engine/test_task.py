"""The base class of tasks: what a method gets without writing it, its hooks, and the stop."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iic.data.in_memory import in_memory
from iic.engine.context import Interrupted, Outcome, RunContext
from iic.engine.image_task import ImageTask
from iic.engine.run import run
from iic.params.errors import IICError
from iic.params.method import MethodSettings
from iic.params.optimisers import MomentumSettings
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings
from iic.records.paths import RunPaths
from tests.engine.test_loop import untimed
from tests.engine.tiny import images

CPU = torch.device("cpu")
NUMBER = 40
STEPS = 5
"""Batches of 8 images in a pass."""


class Settings(MethodSettings):
    """All that the defaults read."""

    k: int = 4
    splits: tuple[str, ...] = ()
    batch_images: int = 8
    optimiser: OptimiserSettings | MomentumSettings = OptimiserSettings(learning_rate=1e-2)
    schedule: ScheduleSettings = ScheduleSettings(epochs=3, evaluation_batch=16)
    compute: ComputeSettings = ComputeSettings()


class Tiny(ImageTask[nn.Sequential]):
    """What a method has to write, and a diary of what is asked of it."""

    stop_after: int | None = None
    diary: list[str]

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        self.diary = []

    def build(self) -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 4))

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        self.diary.append("step")
        logits = self.evaluate(indices)[:, 0]
        return nn.functional.cross_entropy(logits, indices % 4).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        logits: Tensor = self.forward(self.network, self.store.batch(indices) / 255)
        return logits.float()[:, None]

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        self.diary.append(f"begin {epoch}")

    def end_epoch(self, epoch: int) -> bool:
        self.diary.append(f"end {epoch}")
        return epoch == self.stop_after

    def predict(self, probabilities: bool = False) -> Any:
        self.diary.append("predict")
        return super().predict(probabilities)


class Plain(Tiny):
    """The hooks as the base class has them."""

    begin_epoch = ImageTask.begin_epoch
    end_epoch = ImageTask.end_epoch


class Stopping(Tiny):
    """It ends the training after its second epoch."""

    stop_after = 1


def context(
    folder: Path, seed: int = 0, splits: dict[str, int] | None = None, **settings: Any
) -> RunContext[Any]:
    pictures, labels = images(NUMBER)
    return RunContext(
        data=in_memory(pictures, labels, 4, splits),
        classes=4,
        settings=Settings(**settings),
        seed=seed,
        paths=RunPaths("test", "bars/tiny", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def make_task(folder: Path, **arguments: Any) -> Tiny:
    return Tiny(context(folder, **arguments), CPU)


def same(first: Outcome, second: Outcome) -> None:
    assert first.tensors and second.tensors and first.tensors.keys() == second.tensors.keys()
    for name, tensor in first.tensors.items():
        assert tensor.tobytes() == second.tensors[name].tobytes(), name
    assert untimed(first) == untimed(second)


def test_a_pass_goes_once_through_the_images_in_an_order_of_its_own(tmp_path: Path) -> None:
    task = make_task(tmp_path, splits={"train": 30, "test": 10})
    assert list(task.passes_of(7)) == ["training"] and task.steps("training") == STEPS
    assert [len(batch) for batch in task.order(0, 0)] == [8] * STEPS
    orders = [torch.cat(task.order(epoch, 0)) for epoch in (0, 1, 0)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(NUMBER))
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])
    other = torch.cat(make_task(tmp_path, seed=1).order(0, 0))
    assert not torch.equal(orders[0], other)
    assert task.examples(torch.arange(7)) == 7


def test_training_and_evaluated_images_are_those_of_the_settings(tmp_path: Path) -> None:
    run_of_test = context(tmp_path, splits={"train": 18, "rest": 12, "test": 10})
    chosen = Settings.model_validate(
        {"splits": ("rest", "train"), "evaluation": {"mapping": ("test",), "test": ("test",)}}
    )
    object.__setattr__(run_of_test, "settings", chosen)
    tiny = Tiny(run_of_test, CPU)
    assert tiny.training.tolist() == [*range(18, 30), *range(18)]
    assert tiny.steps("training") == 4
    assert tiny.evaluated.tolist() == list(range(30, 40))
    assert tiny.predict().clusters.shape == (10, 1)


def test_the_seed_alone_decides_the_first_weights(tmp_path: Path) -> None:
    weights = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        task = make_task(tmp_path, seed=seed)
        torch.manual_seed(disturbance)
        weights.append(next(iter(task.network[2].parameters())))
        assert task.network is task.network
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_seed_in_a_path_is_a_name_and_no_more(tmp_path: Path) -> None:
    named = context(tmp_path / "a", seed=1)
    object.__setattr__(named, "paths", RunPaths("test", "bars/tiny", 7))
    assert named.name == "bars/tiny seed 1"
    same(run(context(tmp_path / "b", seed=1), Tiny), run(named, Tiny))


def test_all_parameters_are_trained_as_the_settings_say(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    adam = task.optimiser()
    assert isinstance(adam, torch.optim.Adam)
    parts = [part for group in adam.param_groups for part in group["params"]]
    assert list(map(id, parts)) == list(map(id, task.network.parameters()))
    momentum = make_task(tmp_path, optimiser=MomentumSettings(learning_rate=0.1))
    assert isinstance(momentum.optimiser(), torch.optim.SGD)


def test_hooks_come_around_each_epoch(tmp_path: Path) -> None:
    seen: list[Tiny] = []

    def build(made: RunContext[Any], device: torch.device) -> Tiny:
        seen.append(Tiny(made, device))
        return seen[0]

    outcome = run(context(tmp_path, schedule=ScheduleSettings(epochs=2)), build)
    first, second = (
        [f"begin {epoch}", *["step"] * STEPS, f"end {epoch}", "predict"] for epoch in (0, 1)
    )
    assert seen[0].diary == ["predict", *first, *second, "predict"]
    assert outcome.last.losses is None and outcome.k == 4 and outcome.steps == 2 * STEPS
    assert [entry["head"] for entry in outcome.history] == [[], ["training"], ["training"]]
    assert set(outcome.tensors or {}) == {
        f"{checkpoint}.{name}"
        for checkpoint in ("last", "best_label")
        for name in seen[0].network.state_dict()
    }


def test_hooks_that_do_nothing_change_nothing(tmp_path: Path) -> None:
    same(run(context(tmp_path / "a"), Tiny), run(context(tmp_path / "b"), Plain))


def test_a_task_can_change_the_optimiser(tmp_path: Path) -> None:
    class Still(Tiny):
        def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
            optimiser.param_groups[0]["lr"] = 0.0

    still = run(context(tmp_path / "a"), Still).tensors
    moved = run(context(tmp_path / "b"), Tiny).tensors
    untrained = run(context(tmp_path / "c", schedule=ScheduleSettings(epochs=0)), Tiny).tensors
    assert still and moved and untrained
    np.testing.assert_array_equal(still["last.2.weight"], untrained["last.2.weight"])
    assert (moved["last.2.weight"] != untrained["last.2.weight"]).any()


def test_a_task_can_end_the_training(tmp_path: Path) -> None:
    schedule = ScheduleSettings(epochs=9, evaluate_every=4)
    outcome = run(context(tmp_path, schedule=schedule), Stopping)
    assert (outcome.last.epoch, outcome.steps) == (2, 2 * STEPS)
    # it is the last epoch, and so evaluated
    assert [entry["accuracy"] is not None for entry in outcome.history] == [True, False, True]


def test_an_ended_training_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint knows of the end, though nothing in the network does."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("iic.engine.loop.finish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(context(tmp_path / "a"), Stopping)
    again = run(context(tmp_path / "a"), Stopping)
    assert again.steps == 2 * STEPS and len(again.sessions) == 2
    same(run(context(tmp_path / "b"), Stopping), again)


@pytest.mark.parametrize("after", [1, STEPS, STEPS + 2])
def test_an_interrupted_epoch_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    diaries: list[list[str]] = []
    original = Tiny.loss

    def build(made: RunContext[Any], device: torch.device) -> Tiny:
        tiny = Tiny(made, device)
        diaries.append(tiny.diary)
        return tiny

    def loss(self: Tiny, *arguments: Any) -> Tensor:
        value = original(self, *arguments)
        if self.diary.count("step") == after:
            signal.raise_signal(signal.SIGTERM)
        return value

    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "loss", loss)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {after}"):
            run(context(tmp_path / "a"), build)
    same(run(context(tmp_path / "b"), Tiny), run(context(tmp_path / "a"), build))
    begun = [[entry for entry in diary if entry.startswith("begin")] for diary in diaries]
    epoch = (after - 1) // STEPS
    assert begun == [
        [f"begin {number}" for number in range(epoch + 1)],
        [f"begin {number}" for number in range(epoch + 1, 3)],
    ]


def test_a_task_chooses_which_tensors_are_stored(tmp_path: Path) -> None:
    class Weights(Tiny):
        def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: value for name, value in tensors.items() if name.startswith("2.")}

    full, chosen = run(context(tmp_path / "a"), Tiny), run(context(tmp_path / "b"), Weights)
    names = {
        f"{checkpoint}.2.{part}"
        for checkpoint in ("last", "best_label")
        for part in ("weight", "bias")
    }
    assert full.tensors and chosen.tensors and set(chosen.tensors) == names
    for name in names:
        assert chosen.tensors[name].tobytes() == full.tensors[name].tobytes()


def test_the_cluster_is_the_largest_output(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    task.network.eval()
    with torch.no_grad():
        outputs = task.evaluate(torch.arange(NUMBER))
    predictions = task.predict(probabilities=True)
    np.testing.assert_array_equal(predictions.clusters, outputs.argmax(dim=2).numpy())
    assert predictions.clusters.dtype == np.uint8 and predictions.probabilities is not None
    np.testing.assert_array_equal(predictions.probabilities, outputs.half().numpy())
    assert task.predict().probabilities is None and task.network.training
    assert [len(part) for part in task.evaluations(torch.arange(NUMBER))] == [16, 16, 8]


def test_only_a_refresh_moves_the_running_statistics(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    mean = task.network.get_buffer("1.running_mean")
    task.predict()
    assert not mean.any()
    task.refresh_statistics()
    assert mean.any() and task.network.training


def test_parts_run_as_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(torch, "compile", lambda part, **_: compiled.append(part) or part)
    plain = make_task(tmp_path)
    picture = torch.rand(2, 3, 5, 5)
    convolution = nn.Conv2d(3, 4, 1)
    assert plain.forward(convolution, picture).dtype == torch.float32
    assert not compiled
    compute = ComputeSettings(precision="bfloat16", channels_last=True, compile=True)
    fast = make_task(tmp_path, compute=compute)
    for _ in range(2):
        output = fast.forward(convolution, picture)
        assert output.dtype == torch.bfloat16
        assert output.is_contiguous(memory_format=torch.channels_last)
    assert fast.forward(nn.Linear(3, 2), torch.rand(4, 3)).shape == (4, 2)
    assert compiled[0] is convolution and len(compiled) == 2


def test_a_gpu_is_asked_for_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(IICError, match="gpu: true, but torch sees no GPU"):
        run(context(tmp_path, gpu=True), lambda *_: pytest.fail("built"))
