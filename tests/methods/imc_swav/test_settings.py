"""Settings of IMC-SwAV that do not fit together, or fit no dataset; and what a training costs."""

from __future__ import annotations

from typing import Any

import pytest

from iic.methods.imc_swav.method import Settings
from iic.networks.operations import count
from iic.params.datasets import find_dataset
from iic.params.loading import validate
from iic.params.resolve import merged

CIFAR: dict[str, Any] = {
    "encoder": {"input_size": 32},
    "k": 10,
    "splits": ["train"],
    "evaluation": {"mapping": ["test"], "test": ["test"]},
    "schedule": {"epochs": 500},
}
STL10 = merged(
    CIFAR,
    {
        "encoder": {"input_size": 96, "pool": True},
        "splits": ["train", "unlabeled"],
        "classifier_splits": ["train"],
    },
)


RELEASED: dict[str, Any] = {
    "batch_images": 256,
    "projection": 128,
    "prototypes": 1000,
    "hidden": 1024,
    "temperature": 0.1,
    "epsilon": 0.05,
    "sinkhorn_iterations": 3,
    "entropy_weight": 4.0,
    "penalty_weight": 0.01,
    "penalty_bound": 5.0,
    "frozen_prototypes": 500,
    "weight_decay": 1e-5,
    "optimiser": {"learning_rate": 5e-4, "beta1": 0.8, "beta2": 0.999},
    "schedule": {
        "epochs": 500,
        "evaluation_batch": 256,
        "learning_rate": {"warm_up_steps": 500, "milestones": [150, 300, 400], "decay": 0.4},
    },
    "crops": {
        "large": {"count": 2, "size": 28, "area": [0.2, 1.0]},
        "small": {"count": 4, "size": 18, "area": [0.08, 0.4]},
        "jitter_probability": 0.8,
        "grey_probability": 0.25,
    },
}
"""Constants of the released code (docs/spec/imc_swav.md#source)."""


def test_constants_of_the_released_code_are_the_defaults() -> None:
    dumped = validate(Settings, {"encoder": {"input_size": 32}, "k": 10}, "tests").model_dump(
        mode="json"
    )
    assert merged(dumped, RELEASED) == dumped
    # a block that is given in part keeps the others, at any depth
    changed = {"schedule": {"learning_rate": {"warm_up_steps": 50, "milestones": []}}}
    settings = validate(Settings, merged(CIFAR, changed), "tests")
    schedule = settings.model_dump()["schedule"]
    assert (schedule["evaluation_batch"], schedule["learning_rate"]["decay"]) == (256, 0.4)


def problems(base: dict[str, Any], changes: dict[str, Any], name: str) -> dict[str, str]:
    settings = validate(Settings, merged(base, changes), "tests", "settings")
    return {one.key: one.message for one in settings.problems(find_dataset(name))}


def test_the_published_settings_fit() -> None:
    assert problems(CIFAR, {}, "cifar10") == {}
    assert problems(STL10, {}, "stl10") == {}


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"crops": {"large": {"size": 33}}}, "crops.large.size", "33 pixels of images of 32"),
        ({"crops": {"small": {"size": 40}}}, "crops.small.size", "crops of 40 pixels"),
        ({"prototypes": 9}, "prototypes", "9 prototypes for 10 classes and 10 clusters"),
        ({"prototypes": 12, "k": 15}, "prototypes", "12 prototypes for 10 classes and 15 clusters"),
        ({"k": 9}, "k", "9 clusters for 10 classes"),
        ({"batch_images": 50_001}, "batch_images", "there are 50000 to train on"),
        ({"subset": 100}, "batch_images", "there are 100 to train on"),
        ({"subset": 50_001}, "subset", "50001 of 50000 images"),
        ({"encoder": {"input_size": 28}}, "encoder.input_size", "28 pixels"),
        ({"encoder": {"in_channels": 1}}, "encoder.in_channels", "1 channels"),
        ({"classifier_splits": ["test"]}, "classifier_splits", "'test' is none of the splits"),
        ({"start_from": "imc_swav", "joint": True}, "joint", "those of earlier steps"),
        ({"classifier": "kept"}, "classifier", "start_from names no run"),
        (
            {"start_from": "imc_swav", "schedule": {"double_evaluation": True}},
            "schedule.double_evaluation", "would change the encoder of imc_swav",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit(changes: dict[str, Any], key: str, message: str) -> None:
    assert message in problems(CIFAR, changes, "cifar10")[key]


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"batch_images": 5001}, "batch_images", "the classifier's splits have 5000"),
        ({"joint": True}, "joint", "those of earlier steps"),
        ({"subset": 1000}, "subset", "beside classifier_splits"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_bank(changes: dict[str, Any], key: str, message: str) -> None:
    assert message in problems(STL10, changes, "stl10")[key]


def test_k_of_one_is_refused() -> None:
    with pytest.raises(Exception, match=r"(?s)settings\.k.*greater than or equal to 2|at least 2"):
        validate(Settings, merged(CIFAR, {"k": 1}), "tests", "settings")


def test_greyscale_images_have_no_multi_crop() -> None:
    assert "takes 3 channels" in problems(CIFAR, {}, "mnist")["crops"]


def test_operations_are_those_of_a_measurement() -> None:
    """0.913, 0.437 and 1.11 G at 28, 18 and 32 pixels: docs/spec/imc_swav.md#network."""
    settings = validate(Settings, CIFAR, "tests", "settings")
    sizes = {28: 0.913, 18: 0.437, 32: 1.11}
    for side, measured in sizes.items():
        found = settings._operations(count, side, "encoder").forward / 1e9
        assert found == pytest.approx(measured, rel=0.03), side
    cost = settings.cost(find_dataset("cifar10"), count)
    assert cost.steps == 500 * (50_000 // 256)
    frozen = validate(Settings, merged(CIFAR, {"start_from": "imc_swav"}), "tests", "settings")
    assert frozen.cost(find_dataset("cifar10"), count).training < 0.5 * cost.training
