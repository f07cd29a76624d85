"""Cutout and the scattering hybrid: they learn from the labels that they are given."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from iic.engine.context import Outcome, RunContext
from iic.methods.wide_residual import cutout, scattering, transforms
from iic.methods.wide_residual.task import WideResidualTask
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.params.resolve import merged
from tests.methods.iic.test_methods import assert_same
from tests.methods.labelled_runs import CLASSES, SPLITS, labels, pictures, run, score
from tests.methods.resuming import assert_resumed_after_sigterm
from tests.methods.test_cost import counted, of_layers

CPU = torch.device("cpu")
SHARED: dict[str, Any] = {
    "batch_images": 50,
    "shift": 1,
    "flip_probability": 0.0,
    "schedule": {"epochs": 2, "evaluation_batch": 200},
    "optimiser": {"learning_rate": 0.1, "weight_decay": 5e-4},
    "evaluation": CLASSES,
}
METHODS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "cutout": (cutout, {
        "square": 2, "optimiser": {"nesterov": True},
        "classifier": {
            "input_size": 8, "in_channels": 3, "stem": 16, "widths": [16, 32], "blocks": 1,
        },
    }),
    "scattering": (scattering, {
        "classifier": {
            "input_size": 8, "in_channels": 3, "stem": 16, "widths": [16, 32], "blocks": 1,
            "scattering": {"scale": 1, "angles": 4},
        },
    }),
}  # fmt: skip


def context(folder: Path, name: str, seed: int = 0, **changes: Any) -> RunContext[Any]:
    module, own = METHODS[name]
    classes = changes.pop("classes", None)
    labelled = changes.pop("labelled", True)
    settings = merged(merged(SHARED, own), changes)
    return run(folder, module, name, settings, classes=classes, labelled=labelled, seed=seed)


def train(folder: Path, name: str, **arguments: Any) -> Outcome:
    outcome = METHODS[name][0].train(context(folder, name, **arguments))
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize(("name", "epochs"), [("cutout", 20), ("scattering", 12)])
def test_it_learns_from_labels(tmp_path: Path, name: str, epochs: int) -> None:
    """50 points above chance (10 %); measured: cutout 76 %, scattering 76 %."""
    schedule: dict[str, Any] = {"epochs": epochs, "evaluate_every": epochs}
    schedule["learning_rate"] = {"milestones": [epochs * 3 // 4]}
    outcome = train(tmp_path, name, schedule=schedule)
    assert score(outcome) > 60
    assert outcome.history[-1]["chance"] == pytest.approx(np.log(10), abs=1e-4)
    assert outcome.steps == 4 * epochs and outcome.last.losses is None
    assert outcome.probabilities is not None and outcome.probabilities.shape == (400, 1, 10)
    assert outcome.tensors and not [key for key in outcome.tensors if "wavelets" in key]


@pytest.mark.parametrize("name", METHODS)
def test_labels_of_other_folds_and_of_test_images_are_not_used(tmp_path: Path, name: str) -> None:
    other = labels()
    other[100:200] = (other[100:200] + 1) % 10
    other[600:] = (other[600:] + 1) % 10
    mine = train(tmp_path / "a", name, fold=0)
    assert_same(mine, train(tmp_path / "b", name, fold=0, classes=other))
    assert mine.steps == 4


@pytest.mark.parametrize("name", METHODS)
def test_interrupted_and_resumed_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    assert_resumed_after_sigterm(partial(train, name=name), WideResidualTask, 6, tmp_path)


def test_inputs_are_standardised_by_the_labelled_images(tmp_path: Path) -> None:
    task = WideResidualTask(context(tmp_path, "cutout", fold=1), CPU)
    pixels = pictures()[100:200].reshape(100, 3, 8, 2, 8, 2).mean(axis=(3, 5)) / 255
    mean, deviation = (
        getattr(pixels, name)(axis=(0, 2, 3), keepdims=True) for name in ("mean", "std")
    )
    found = task.inputs(torch.arange(100, 200))
    np.testing.assert_allclose(found.numpy(), (pixels - mean) / deviation, atol=1e-4)
    group = task.optimiser().param_groups[0]
    assert (group["nesterov"], group["weight_decay"], group["lr"]) == (True, 5e-4, 0.1)


def test_squares_lie_around_any_pixel() -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.ones(4000, 2, 6, 6)
    found = transforms.without_squares(images, 4, draw)
    assert torch.equal(found[:, 0], found[:, 1])
    black = {tuple(map(tuple, (one == 0).nonzero().tolist())) for one in found[:, 0]}
    expected = {
        tuple(
            (row, column)
            for row in range(max(0, middle - 2), min(6, middle + 2))
            for column in range(max(0, centre - 2), min(6, centre + 2))
        )
        for middle in range(6)
        for centre in range(6)
    }
    assert black == expected


@pytest.mark.parametrize(("surroundings", "mode"), [("black", "constant"), ("mirrored", "reflect")])
def test_shifts_are_whole_pixels_into_surroundings(surroundings: Any, mode: Any) -> None:
    draw = torch.Generator().manual_seed(0)
    image = torch.arange(1.0, 17).view(1, 1, 4, 4)
    found = transforms.shifted(image.expand(500, 1, 4, 4), 2, surroundings, draw)
    wider = np.pad(image[0, 0].numpy(), 2, mode=mode)
    expected = {
        wider[top : top + 4, left : left + 4].tobytes() for top in range(5) for left in range(5)
    }
    assert {one.numpy().tobytes() for one in found[:, 0]} == expected


def test_labels_and_folds_that_are_not_there_are_refused(tmp_path: Path) -> None:
    for changes, says in (
        ({"labelled": False}, "some of its 200 training images have none"),
        ({"fold": 2}, "fold: 2, but in_memory has 2 predefined folds"),
        ({"fold": 0, "batch_images": 33}, "batch_images: 33 leaves a batch of one of 100 images"),
    ):
        with pytest.raises(IICError, match=says):
            train(tmp_path, "cutout", **changes)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"splits": ["unlabeled"]}, "splits"),
        ({"evaluation": {"matching": "one_to_one"}}, "evaluation.matching"),
        ({"batch_images": 4999}, "batch_images"),
        ({"classifier": {"input_size": 64}}, "classifier.input_size"),
        ({"square": 8}, "square"),
        ({"shift": 8}, "shift"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    problems = context(tmp_path, "cutout", **changes).settings.problems(find_dataset("stl10"))
    assert [problem.key for problem in problems] == [key]


@pytest.mark.parametrize("name", METHODS)
def test_the_estimated_cost_is_what_is_computed(tmp_path: Path, name: str) -> None:
    own = context(tmp_path, name, fold=0, schedule={"epochs": 1})
    splits = SPLITS | {"train": 500}  # of which a fold is a fifth
    dataset = find_dataset("stl10").model_copy(update={"splits": splits})
    with counted() as macs:
        outcome = METHODS[name][0].train(own)
    cost = own.settings.cost(dataset, of_layers)
    assert (cost.steps, cost.training) == (outcome.steps, 6 * macs[True])
    assert cost.evaluation == 2 * macs[False]
