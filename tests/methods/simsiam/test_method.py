"""SimSiam with k-means: its loss, who is a target, and that it learns."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from iic.data.in_memory import in_memory
from iic.engine.context import Interrupted, Outcome, RunContext
from iic.methods.simsiam.loss import siamese_loss
from iic.methods.simsiam.method import Settings, train
from iic.methods.simsiam.task import SimSiamTask
from iic.params.datasets import find_dataset
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths
from tests.methods.autoencoders.test_task import same
from tests.methods.imc_swav.imc_helpers import CLASSES, SIDE, images

CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "encoder": {"input_size": SIDE, "channels": [4, 8], "blocks": [1, 1]},
    "crops": {
        "large": {"count": 2, "size": 10, "area": [0.3, 1.0]},
        "small": {"count": 0, "size": 6, "area": [0.1, 0.4]},
    },
    "k": CLASSES,
    "batch_images": 20,
    "projection": 16,
    "bottleneck": 8,
    "restarts": 2,
    "watch_restarts": 1,
    "schedule": {"epochs": 2, "evaluation_batch": 30},
}


def context(folder: Path, **changes: Any) -> RunContext[Any]:
    pixels, labels = images(90)
    return RunContext(
        data=in_memory(pixels, labels, CLASSES),
        classes=CLASSES,
        settings=validate(Settings, merged(SETTINGS, changes), "tests", "settings"),
        seed=0,
        paths=RunPaths("test", "stripes/simsiam", 0),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def test_the_loss_by_hand() -> None:
    draw = torch.Generator().manual_seed(0)
    p, q, z, w = (torch.randn(5, 3, generator=draw) for _ in range(4))
    cosines = [(normalize(a, dim=1) * normalize(b, dim=1)).sum(1) for a, b in ((p, w), (q, z))]
    expected = -(cosines[0].mean() + cosines[1].mean()) / 2
    torch.testing.assert_close(siamese_loss((p, q), (z, w)), expected)
    assert float(siamese_loss((p, q), (q, p))) == pytest.approx(-1)


def test_projections_are_targets_without_gradient() -> None:
    parts = [torch.randn(5, 3, requires_grad=True) for _ in range(4)]
    siamese_loss((parts[0], parts[1]), (parts[2], parts[3])).backward()  # type: ignore[no-untyped-call]
    assert [part.grad is None for part in parts] == [False, False, True, True]


def test_features_have_length_1_and_are_the_encoders(tmp_path: Path) -> None:
    task = SimSiamTask(context(tmp_path), CPU)
    points = torch.from_numpy(task.points())
    task.network.eval()
    torch.testing.assert_close(points.norm(dim=1), torch.ones(90))
    whole = task.crops.evaluation(task.store.batch(torch.arange(90)))
    with torch.no_grad():
        torch.testing.assert_close(points, normalize(task.network(whole), dim=1))


def test_the_loss_falls_and_a_killed_run_ends_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path) -> Outcome:
        return train(context(folder, schedule={"epochs": 6, "evaluate_every": 6}))

    plain, done = SimSiamTask.loss, 0

    def counted(self: SimSiamTask, *given: Any) -> torch.Tensor:
        nonlocal done
        done += 1
        if done == 6:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(SimSiamTask, "loss", counted)
        with pytest.raises(Interrupted):
            run(tmp_path / "a")
    resumed, whole = run(tmp_path / "a"), run(tmp_path / "b")
    same(whole, resumed)
    losses = [entry["loss"][0] for entry in whole.history if entry["loss"]]  # type: ignore[index]
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"crops": {"small": {"count": 4}}}, "crops.small.count"),
        ({"crops": {"large": {"size": 33}}}, "crops.large.size"),
        ({"encoder": {"input_size": 12}}, "encoder.input_size"),
        ({"encoder": {"in_channels": 1}}, "encoder.in_channels"),
        ({"schedule": {"snapshot_steps": [0, 5]}}, "schedule.snapshot_steps"),
        ({"k": 9}, "k"),
        ({"batch_images": 60_001}, "batch_images"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], key: str) -> None:
    fitting = merged(SETTINGS, {"k": 10, "encoder": {"input_size": 32}})
    dataset = find_dataset("cifar10")
    assert not list(validate(Settings, fitting, "tests", "settings").problems(dataset))
    settings = validate(Settings, merged(fitting, changes), "tests", "settings")
    assert key in [problem.key for problem in settings.problems(dataset)]
