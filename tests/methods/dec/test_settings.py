"""Settings of DEC: phases and learning rates, what is refused, what a training costs."""

from __future__ import annotations

from typing import Any

import pytest

from iic.methods.dec.settings import DECSettings
from iic.params.datasets import find_dataset
from iic.params.errors import SettingsError
from iic.params.loading import validate
from iic.params.operations import committed
from iic.params.resolve import merged
from iic.params.runs import load_plan
from tests.methods.test_cost import of_layers

SETTINGS: dict[str, Any] = {
    "autoencoder": {"family": "dense", "input_size": 28, "in_channels": 1, "widths": [30, 20]},
    "k": 10,
    "pretraining": {"layer_epochs": 3, "finetuning_epochs": 4, "decay_epochs": 2},
    "schedule": {"epochs": 5},
}
MNIST = find_dataset("mnist")


def make_settings(**changes: Any) -> DECSettings:
    return validate(DECSettings, merged(SETTINGS, changes), "tests", "settings")


def test_phases_follow_one_another() -> None:
    settings = make_settings()
    assert (settings.layers, settings.pretraining_epochs, settings.total_epochs) == (3, 13, 18)
    names = [settings.phase(epoch).name for epoch in range(settings.total_epochs)]
    layers = [f"layer {layer}" for layer in (1, 2, 3) for _ in range(3)]
    assert names == [*layers, *["finetuning"] * 4, *["clustering"] * 5]
    within = [settings.phase(epoch).epoch for epoch in range(settings.total_epochs)]
    assert within == [0, 1, 2] * 3 + [0, 1, 2, 3] + [0, 1, 2, 3, 4]


def test_the_learning_rate_falls_within_each_phase_of_the_pretraining() -> None:
    settings = make_settings()
    rates = [
        settings.learning_rate(settings.phase(epoch)) for epoch in range(settings.total_epochs)
    ]
    layer = [0.1, 0.1, 0.01]
    assert rates == pytest.approx([*layer * 3, 0.1, 0.1, 0.01, 0.01, *[0.01] * 5])


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"autoencoder": {"family": "convolutional", "widths": [8, 8]}}, "autoencoder.family",
         "one by one"),
        ({"clusters": {"scaling": "l2"}}, "clusters.scaling", "l2, but DEC's centres"),
        ({"k": 9}, "k", "9 clusters for 10 classes"),
        ({"autoencoder": {"input_size": 24}}, "autoencoder.input_size", "28 x 28"),
        ({"splits": ["unlabeled"]}, "splits", "no split 'unlabeled'"),
        ({"schedule": {"snapshot_steps": [0]}}, "schedule.snapshot_steps", "no probabilities"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, Any], key: str, says: str) -> None:
    problems = {
        problem.key: problem.message for problem in make_settings(**changes).problems(MNIST)
    }
    assert says in problems[key]


def test_more_clusters_than_training_images_are_refused() -> None:
    few = MNIST.model_copy(update={"splits": {"train": 40, "test": 70_000}})
    settings = make_settings(splits=["train"], k=50, batch_images=20)
    assert {problem.key for problem in settings.problems(few)} == {"k"}
    assert not list(make_settings().problems(MNIST))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"tolerance": 1.0}, "tolerance"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"refresh_epochs": 0}, "refresh_epochs"),
        ({"scale": 0.0}, "scale"),
        ({"pretraining": {"layer_epochs": 0}}, "pretraining.layer_epochs"),
        ({"pretraining": {"dropout": 1.0}}, "pretraining.dropout"),
        ({"pretraining": {"decay": 1.5}}, "pretraining.decay"),
        ({"pretraining": {"momentum": 0.9}}, "pretraining"),
        ({"optimiser": {"beta1": 0.9}}, "optimiser"),
    ],
)
def test_values_that_cannot_be(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        make_settings(**changes)


def test_cost_by_hand() -> None:
    cost = make_settings(schedule={"evaluate_every": 6}, refresh_epochs=2).cost(MNIST, of_layers)
    first, second, third = 784 * 30, 30 * 20, 20 * 10
    encoder = first + second + third
    assert cost.steps == 18 * 274
    assert cost.training == 70_000 * (
        3 * 12 * encoder
        + 3 * 2 * (first + first + second)  # the layers below
        + 4 * 12 * encoder
        + 5 * (6 + 2 / 2) * encoder
    )
    # evaluated at epochs 0, 6, 12 and 18, at the end, and the losses of the last and best epoch
    assert cost.evaluation == 7 * 70_000 * 2 * encoder


def test_cost_of_a_training_that_is_cut() -> None:
    cut = make_settings(schedule={"max_steps": 2 * 274}).cost(MNIST, of_layers)
    assert (cut.steps, cut.training) == (2 * 274, 2 * 70_000 * 12 * 784 * 30)


def test_the_table_holds_the_sources_settings() -> None:
    runs = load_plan("paper").runs
    for dataset, images in {
        "stl10": 13_000,
        "cifar10": 60_000,
        "cifar100_20": 60_000,
        "mnist": 70_000,
    }.items():
        run = runs[f"{dataset}/dec"]
        settings = run.settings
        assert isinstance(settings, DECSettings) and run.method == "iic.methods.dec.method"
        steps, own = -(-images // 256), settings.pretraining
        assert settings.batch_images == 256 and settings.gpu
        # the nearest whole epochs
        assert abs(own.layer_epochs * steps - 50_000) <= steps / 2 + 1
        assert abs(own.finetuning_epochs * steps - 100_000) <= steps / 2 + 1
        assert abs(own.decay_epochs * steps - 20_000) <= steps / 2 + 1
        assert abs(settings.schedule.epochs * steps - 20_000) <= steps / 2 + 1
        assert (own.learning_rate, own.decay, own.dropout) == (0.1, 0.1, 0.2)
        assert own.initial_deviation == 0.01
        assert (settings.optimiser.learning_rate, settings.optimiser.momentum) == (0.01, 0.9)
        assert (settings.tolerance, settings.clusters.restarts, settings.refresh_epochs) == (
            0.001,
            20,
            1,
        )
        assert settings.autoencoder.layers == (500, 500, 2000) and settings.autoencoder.code == 10
        assert settings.k == (20 if dataset == "cifar100_20" else 10)
        assert settings.scale == (5.1 if dataset == "mnist" else None)


def test_smoke_reaches_the_clustering() -> None:
    plan = load_plan("smoke")
    run = plan.run("digits/dec")
    assert isinstance(run.settings, DECSettings)
    cost = run.settings.cost(plan.datasets["digits"], committed)
    assert cost.steps <= 20
    assert cost.steps / run.settings.total_epochs * run.settings.pretraining_epochs < cost.steps - 1
