"""Settings of the autoencoders: what is refused, what the tables hold, what a training costs."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from iic.methods.autoencoders.settings import ReconstructionSettings
from iic.params.datasets import find_dataset
from iic.params.errors import SettingsError
from iic.params.loading import validate
from iic.params.operations import committed
from iic.params.resolve import merged
from iic.params.runs import load_plan
from tests.methods.autoencoders.autoencoder_helpers import MODULES
from tests.methods.test_cost import of_layers

ROWS = ("ae", "sparse_ae", "denoising_ae", "vae")
SETTINGS: dict[str, Any] = {
    "autoencoder": {"family": "dense", "input_size": 28, "in_channels": 1, "widths": [30, 20]},
    "k": 10,
    "schedule": {"epochs": 4},
}
MNIST, STL10 = find_dataset("mnist"), find_dataset("stl10")


def make_settings(**changes: Any) -> ReconstructionSettings:
    return validate(ReconstructionSettings, merged(SETTINGS, changes), "tests", "settings")


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"autoencoder": {"input_size": 24}}, "autoencoder.input_size", "28 x 28"),
        ({"autoencoder": {"input_size": 56}}, "autoencoder.input_size", "56 pixels"),
        ({"autoencoder": {"in_channels": 3}}, "autoencoder.in_channels", "3 channels, but"),
        ({"k": 9}, "k", "9 clusters for 10 classes and 70000 evaluated images"),
        ({"k": 70_001}, "k", "70001 clusters"),
        ({"splits": ["test"], "batch_images": 10_001}, "batch_images", "10000 to train on"),
        ({"splits": ["unlabeled"]}, "splits", "no split 'unlabeled'"),
        ({"schedule": {"snapshot_steps": [0]}}, "schedule.snapshot_steps", "no probabilities"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], key: str, says: str) -> None:
    problems = {
        problem.key: problem.message for problem in make_settings(**changes).problems(MNIST)
    }
    assert list(problems) == [key]
    assert says in problems[key]


@pytest.mark.parametrize(
    "changes", [{}, {"autoencoder": {"input_size": 14}}, {"k": 30}, {"splits": ["test"]}]
)
def test_what_fits_is_not(changes: dict[str, Any]) -> None:
    assert not list(make_settings(**changes).problems(MNIST))


def test_images_that_are_not_square_are_refused() -> None:
    wide = MNIST.model_copy(update={"image": MNIST.image.model_copy(update={"width": 56})})
    assert [problem.key for problem in make_settings().problems(wide)] == ["autoencoder.input_size"]


def test_cost_by_hand() -> None:
    encoder = 784 * 30 + 30 * 20 + 20 * 10
    cost = make_settings(schedule={"evaluate_every": 2}).cost(MNIST, of_layers)
    assert cost.steps == 4 * 274
    assert cost.training == 4 * 70_000 * 6 * 2 * encoder
    # evaluated at epochs 0, 2 and 4, at the end, and the inertia of the last and the best epoch
    assert cost.evaluation == 6 * 70_000 * 2 * encoder


def test_the_variational_encoder_gives_twice_the_code() -> None:
    def coding(name: str) -> ReconstructionSettings:
        settings = load_plan("paper").run(f"mnist/{name}").settings
        assert isinstance(settings, ReconstructionSettings)
        return settings

    plain, doubled = coding("ae"), coding("vae")
    assert (plain.code_outputs, doubled.code_outputs) == (10, 20)
    more = doubled.cost(MNIST, of_layers).training - plain.cost(MNIST, of_layers).training
    assert more == plain.schedule.epochs * 70_000 * 6 * 2000 * 10


@pytest.mark.parametrize("name", ROWS)
def test_the_table_holds_the_documented_settings(name: str) -> None:
    runs = load_plan("paper").runs
    for dataset, trained in {"stl10": 13_000, "cifar10": 60_000, "mnist": 70_000}.items():
        run = runs[f"{dataset}/{name}"]
        assert run.method == f"iic.methods.autoencoders.{MODULES[name]}" and run.settings.gpu
        values = run.settings
        assert isinstance(values, ReconstructionSettings)
        assert (values.k, values.batch_images, values.clusters.restarts) == (10, 256, 20)
        assert values.optimiser.learning_rate == 1e-3
        assert 100 <= values.schedule.epochs <= 300
        entry = find_dataset(dataset)
        steps = values.cost(entry, committed).steps / values.schedule.epochs
        assert steps == -(-trained // 256)
    grey = runs[f"mnist/{name}"].settings_json["autoencoder"]
    assert (grey["family"], grey["widths"], grey["code"]) == ("dense", None, 10)
    assert runs[f"cifar100_20/{name}"].settings_json["k"] == 20


def test_the_weights_of_the_penalties() -> None:
    runs = load_plan("paper").runs
    assert runs["mnist/sparse_ae"].settings_json["rho"] == 0.05
    assert runs["mnist/sparse_ae"].settings_json["beta"] == 3
    assert runs["mnist/denoising_ae"].settings_json["masked"] == 0.2
    likelihoods = {
        dataset: runs[f"{dataset}/vae"].settings_json["likelihood"]
        for dataset in ("mnist", "cifar10", "cifar100_20", "stl10")
    }
    assert likelihoods.pop("mnist") == "bernoulli"
    assert set(likelihoods.values()) == {"gaussian"}


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("sparse_ae", {"rho": 1.0}, "rho"),
        ("sparse_ae", {"beta": 0.0}, "beta"),
        ("denoising_ae", {"masked": 1.0}, "masked"),
        ("vae", {"likelihood": "poisson"}, "likelihood"),
        ("ae", {"clusters": {"scaling": "whiten"}}, "clusters.scaling"),
        ("ae", {"rho": 0.05}, "rho"),
    ],
)
def test_values_that_no_method_takes(name: str, changes: dict[str, Any], says: str) -> None:
    model = importlib.import_module(f"iic.methods.autoencoders.{MODULES[name]}").Settings
    values = SETTINGS | ({"likelihood": "gaussian"} if name == "vae" else {}) | changes
    with pytest.raises(SettingsError, match=says):
        validate(model, values, "tests", "settings")
