"""AE, sparse AE, denoising AE and VAE: they learn, from images alone, and each what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.engine.context import Outcome
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.autoencoders.network import Autoencoder
from iic.methods.autoencoders.task import ReconstructionTask
from tests.methods.autoencoders.autoencoder_helpers import (
    CONVOLUTIONAL,
    NAMES,
    context,
    digits,
    module,
    train,
)
from tests.methods.iic.test_methods import assert_same
from tests.quick import first_quick

CHANCE = 15.0
"""Accuracy of random clusters of the 1,797 digits under the best one-to-one mapping, in percent;
a test holds it."""
MARGIN = 35.0
"""Points above chance that each method reaches from each seed."""
LEARNING: dict[str, Any] = {"number": 1797, "schedule": {"epochs": 25, "evaluate_every": 25}}


def losses(outcome: Outcome) -> list[float]:
    """Loss of each epoch."""
    return [float(entry["loss"][0]) for entry in outcome.history[1:]]  # type: ignore[index]


def test_chance_is_not_higher_than_said() -> None:
    _, labels = digits()
    random = np.random.default_rng(0).integers(0, 10, (len(labels), 50))
    assert accuracy_per_sub_head(random, labels, 10, 10).max() < CHANCE


@pytest.mark.parametrize("seed", first_quick(range(2)))
@pytest.mark.parametrize("name", NAMES)
def test_it_learns(tmp_path: Path, name: str, seed: int) -> None:
    outcome = train(tmp_path, name, seed=seed, **LEARNING)
    _, labels = digits()
    (score,) = accuracy_per_sub_head(outcome.last.clusters, labels, 10, 10)
    assert score > CHANCE + MARGIN
    found = losses(outcome)
    assert found[-1] < 0.8 * found[0]
    assert found[-1] < min(found[:5])


@pytest.mark.parametrize("name", first_quick(NAMES))
def test_of_another_image_it_learns_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its loss falls too, to that of the mean image; what the code says of an image is the rest.

    Measured, own as a share of the other: 0.24, 0.34, 0.39, and 0.93 for the VAE, most of whose
    loss is that grey pixels are not sure.
    """
    own = losses(train(tmp_path / "own", name, **LEARNING))

    def of_another(task: Any, head: str, indices: torch.Tensor, draw: torch.Generator) -> Any:
        images = task.inputs(indices)
        encode = lambda seen: task.encode(seen.roll(1, 0))  # noqa: E731
        return task.objective.loss(encode, task.decode, images, draw).reshape(1)

    monkeypatch.setattr(ReconstructionTask, "loss", of_another)
    other = losses(train(tmp_path / "other", name, **LEARNING))
    assert other[-1] < other[0]
    assert own[-1] < (0.95 if name == "vae" else 0.5) * other[-1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("changes", [{}, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_the_outcome_is_what_the_command_line_writes(
    tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    outcome = train(tmp_path, name, **changes)
    assert (outcome.k, outcome.last.epoch) == (10, 3)
    assert outcome.steps == 3 * (6 if changes else 5)
    for checkpoint in (outcome.last, outcome.best_label):
        assert checkpoint is not None and checkpoint.losses is not None
        assert checkpoint.clusters.shape == (300, 1)
        assert checkpoint.clusters.dtype == np.uint8
        assert set(checkpoint.clusters[:, 0]) == set(range(10))
        assert len(checkpoint.losses) == 1 and checkpoint.losses[0] > 0
    assert outcome.probabilities is None
    assert outcome.deterministic and outcome.precision == "float32"
    network = _task(context(tmp_path, name, **changes), name).network
    for kind in ("last", "best_label"):
        weights = {
            key.removeprefix(f"{kind}."): torch.from_numpy(value)
            for key, value in (outcome.tensors or {}).items()
            if key.startswith(f"{kind}.")
        }
        network.load_state_dict(weights)
    assert [entry["epoch"] for entry in outcome.history] == [0, 1, 2, 3]
    assert [entry["head"] for entry in outcome.history] == [[], *[["reconstruction"]] * 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, name: str) -> None:
    first = train(tmp_path / "a", name, seed=3)
    assert_same(first, train(tmp_path / "b", name, seed=3))
    other = train(tmp_path / "c", name, seed=4)
    assert first.tensors is not None and other.tensors is not None
    assert any((other.tensors[key] != value).any() for key, value in first.tensors.items())
    assert losses(first) != losses(other)


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_training_is_the_same(tmp_path: Path, name: str) -> None:
    labelled = train(tmp_path / "a", name)
    unlabelled = train(tmp_path / "b", name, labelled=False)
    assert_same(labelled, unlabelled)
    assert unlabelled.best_label is None and labelled.best_label is not None


def test_the_four_differ_by_their_objectives_alone(tmp_path: Path) -> None:
    """Same seed, same first weights; after training other ones."""
    start, end = (
        {
            name: train(tmp_path / f"{name}{epochs}", name, schedule={"epochs": epochs})
            for name in ("ae", "sparse_ae", "denoising_ae")
        }
        for epochs in (0, 1)
    )
    weight = "last.encoder.1.weight"
    for name in ("sparse_ae", "denoising_ae"):
        one, other = (outcome[name].tensors for outcome in (start, end))
        plain, trained = (outcome["ae"].tensors for outcome in (start, end))
        assert one and other and plain and trained
        np.testing.assert_array_equal(one[weight], plain[weight])
        assert (other[weight] != trained[weight]).any()


def codes(
    folder: Path, name: str, outcome: Outcome, number: int, **changes: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Encoder's outputs and clustered codes of the images under the last weights."""
    run = context(folder, name, number=number, **changes)
    task = _task(run, name)
    weights = {
        key.removeprefix("last."): torch.from_numpy(value)
        for key, value in (outcome.tensors or {}).items()
        if key.startswith("last.")
    }
    task.network.load_state_dict(weights)
    images = torch.from_numpy(digits()[0][:number]).float() / 255
    with torch.no_grad():
        outputs: torch.Tensor = task.network.eval().encoder(images)
    return outputs.numpy(), task.objective.code(outputs).numpy()


def _task(run: Any, name: str) -> ReconstructionTask:
    """The task that the method hands to the engine."""
    caught: list[ReconstructionTask] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "iic.engine.run.run",
            lambda context, build: caught.append(build(context, torch.device("cpu"))),
        )
        module(name).train(run)
    (task,) = caught
    return task


@pytest.mark.parametrize("penalised", ["hidden", "code"])
def test_the_penalised_units_are_sparse(tmp_path: Path, penalised: str) -> None:
    """Each unit's mean activation is near rho, and without the penalty it is not."""
    means = {}
    for beta in (3.0, 1e-9):
        own: dict[str, Any] = {"penalised": penalised}
        outcome = train(
            tmp_path / str(beta), "sparse_ae", beta=beta, number=600, schedule={"epochs": 25}, **own
        )
        outputs, code = codes(tmp_path, "sparse_ae", outcome, 600, **own)
        units = outputs[:, 10:] if penalised == "hidden" else code
        assert units.shape == (600, 128 if penalised == "hidden" else 10)
        assert units.min() >= 0 and units.max() <= 1
        means[beta] = units.mean(axis=0)
    assert means[3.0].mean() == pytest.approx(0.05, abs=0.03)
    assert means[3.0].max() < 0.15
    assert means[1e-9].mean() > 0.2


def test_the_code_of_sparse_hidden_units_is_linear_in_them(tmp_path: Path) -> None:
    """As the code of the plain autoencoder; it is not between 0 and 1."""
    outcome = train(tmp_path, "sparse_ae")
    outputs, code = codes(tmp_path, "sparse_ae", outcome, 300)
    weights = outcome.tensors or {}
    prefix = "last.encoder.7.to_code"
    expected = outputs[:, 10:] @ weights[f"{prefix}.weight"].T + weights[f"{prefix}.bias"]
    np.testing.assert_allclose(code, expected, atol=1e-5)
    np.testing.assert_array_equal(code, outputs[:, :10])
    assert code.min() < 0 or code.max() > 1


def test_rho_is_heeded(tmp_path: Path) -> None:
    outcome = train(tmp_path, "sparse_ae", rho=0.3, number=600, schedule={"epochs": 25})
    outputs, _ = codes(tmp_path, "sparse_ae", outcome, 600)
    assert outputs[:, 10:].mean() == pytest.approx(0.3, abs=0.05)


def test_the_denoiser_removes_noise_better_than_the_plain_autoencoder(tmp_path: Path) -> None:
    errors = {}
    for name in ("ae", "denoising_ae"):
        outcome = train(tmp_path / name, name, number=1000, schedule={"epochs": 30}, **WIDE)
        network = Autoencoder(context(tmp_path, name, **WIDE).settings.autoencoder)
        weights = outcome.tensors or {}
        network.load_state_dict(
            {
                key.removeprefix("last."): torch.from_numpy(value)
                for key, value in weights.items()
                if key.startswith("last.")
            }
        )
        images = torch.from_numpy(digits()[0][1000:]).float() / 255
        gone = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) < 0.2
        with torch.no_grad():
            output = network(images.masked_fill(gone, 0))
        errors[name] = float((output - images)[gone].square().mean())
    assert errors["denoising_ae"] < 0.8 * errors["ae"]


WIDE: dict[str, Any] = {"autoencoder": {"widths": [128], "code": 32}}


def test_the_variational_code_is_near_the_prior(tmp_path: Path) -> None:
    """The aggregated posterior is about N(0, I), and a heavier divergence empties the code."""
    outcome = train(tmp_path / "a", "vae", number=1000, schedule={"epochs": 25})
    outputs, code = codes(tmp_path, "vae", outcome, 1000)
    np.testing.assert_array_equal(code, outputs[:, :10])
    second_moments = code.var(axis=0) + np.exp(outputs[:, 10:]).mean(axis=0)
    np.testing.assert_allclose(second_moments, 1, atol=0.5)
    heavy = train(tmp_path / "b", "vae", beta=100.0, number=1000, schedule={"epochs": 25})
    assert codes(tmp_path, "vae", heavy, 1000)[1].var() < 0.05 * code.var()
