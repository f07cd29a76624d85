"""Training of autoencoders in the loop: resumable, on the right images, with honest clusters."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import nn

from iic.engine.clustering.kmeans import kmeans
from iic.engine.context import Interrupted, NonFiniteLoss, Outcome
from iic.engine.seeding import derive
from iic.engine.threads import library_threads
from iic.methods.autoencoders.codes import scaled
from iic.methods.autoencoders.loss import Plain
from iic.methods.autoencoders.task import ReconstructionTask
from iic.records.history import TIME_FIELDS
from tests.methods.autoencoders.autoencoder_helpers import (
    CONVOLUTIONAL,
    NAMES,
    context,
    digits,
    train,
)

CPU = torch.device("cpu")


def make_task(folder: Path, **arguments: Any) -> ReconstructionTask:
    return ReconstructionTask(context(folder, "ae", **arguments), CPU, objective=Plain())


def same(outcome: Outcome, other: Outcome) -> None:
    """Everything but times is equal, byte by byte."""
    assert outcome.tensors and other.tensors and outcome.tensors.keys() == other.tensors.keys()
    for name, tensor in outcome.tensors.items():
        assert tensor.tobytes() == other.tensors[name].tobytes(), name
    for first, second in [(outcome.last, other.last), (outcome.best_label, other.best_label)]:
        assert first is not None and second is not None
        assert (first.epoch, first.losses) == (second.epoch, second.losses)
        np.testing.assert_array_equal(first.clusters, second.clusters)
    mine, theirs = (
        [{k: v for k, v in entry.items() if k not in TIME_FIELDS} for entry in each.history]
        for each in (outcome, other)
    )
    assert mine == theirs


def patched(patch: pytest.MonkeyPatch, step: int, effect: Any) -> None:
    """Apply `effect` to the loss of training step `step`, counted from 1, of the process."""
    original = ReconstructionTask.loss
    done = 0

    def loss(self: ReconstructionTask, *arguments: Any) -> torch.Tensor:
        nonlocal done
        done += 1
        value = original(self, *arguments)
        return effect(value) if done == step else value

    patch.setattr(ReconstructionTask, "loss", loss)


def interrupt(loss: torch.Tensor) -> torch.Tensor:
    signal.raise_signal(signal.SIGTERM)
    return loss


# an epoch has 5 steps: in the first, at an epoch's end, inside one, in the very last
@pytest.mark.parametrize("after", [1, 5, 8, 15])
@pytest.mark.parametrize("name", NAMES)
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    with monkeypatch.context() as patch:
        patched(patch, after, interrupt)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {after}"):
            train(tmp_path / "a", name)
    resumed = train(tmp_path / "a", name)
    assert len(resumed.sessions) == 2
    same(train(tmp_path / "b", name), resumed)


def test_batchnorm_is_resumed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patched(patch, 8, interrupt)
        with pytest.raises(Interrupted):
            train(tmp_path / "a", "vae", **CONVOLUTIONAL)
    resumed = train(tmp_path / "a", "vae", **CONVOLUTIONAL)
    same(train(tmp_path / "b", "vae", **CONVOLUTIONAL), resumed)


def test_a_loss_that_is_not_finite_stops_with_the_checkpoint_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patched(patch, 8, lambda loss: loss * float("nan"))
        with pytest.raises(NonFiniteLoss, match=r"nan in epoch 2.*last checkpoint is left"):
            train(tmp_path / "a", "ae")
    same(train(tmp_path / "b", "ae"), train(tmp_path / "a", "ae"))


def test_each_image_is_seen_once_an_epoch_in_another_order(tmp_path: Path) -> None:
    task = make_task(tmp_path, number=150)
    orders = [torch.cat(task.order(epoch, 0)) for epoch in (0, 1, 0)]
    assert [len(batch) for batch in task.order(0, 0)] == [64, 64, 22]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(150))
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])


def test_only_the_named_splits_are_trained_on_and_only_those_asked_for_are_clustered(
    tmp_path: Path,
) -> None:
    sizes = {"train": 100, "unlabeled": 150, "test": 50}
    task = make_task(tmp_path, splits=sizes, evaluation={"test": ["test"], "mapping": ["test"]})
    assert set(torch.cat(task.order(0, 0)).tolist()) == set(range(300))
    assert task.predict().clusters.shape == (50, 1)
    run = context(tmp_path, "ae", number=300)
    object.__setattr__(run, "data", task.context.data)
    object.__setattr__(
        run, "settings", run.settings.model_copy(update={"splits": ("test", "train")})
    )
    named = ReconstructionTask(run, CPU, objective=Plain())
    chosen = set(torch.cat(named.order(0, 0)).tolist())
    assert chosen == {*range(100), *range(250, 300)}


def test_images_are_averaged_to_the_networks_size(tmp_path: Path) -> None:
    images, _ = digits()
    task = make_task(tmp_path, images=images[:30], number=30, autoencoder={"input_size": 4})
    seen = task.inputs(torch.tensor([4, 2]))
    blocks = images[[4, 2]].reshape(2, 1, 4, 2, 4, 2).astype(np.float64).mean(axis=(3, 5)) / 255
    np.testing.assert_allclose(seen.numpy(), blocks, atol=1e-6)
    inputs = make_task(tmp_path, images=images[:30], number=30).inputs(torch.tensor([7]))
    np.testing.assert_array_equal(inputs.numpy(), images[[7]].astype(np.float32) / 255)


def test_clusters_are_k_means_of_the_codes(tmp_path: Path) -> None:
    task = make_task(tmp_path, clusters={"restarts": 4, "watch_restarts": 1})
    task.network.eval()
    with torch.no_grad():
        codes = task.network.encoder(torch.from_numpy(digits()[0][:300]).float() / 255).numpy()
    for final, restarts in ((False, 1), (True, 4)):
        seed = derive(0, "kmeans") % 2**32
        with library_threads(task.settings.threads):  # sums depend on their number
            expected = KMeans(10, n_init=restarts, random_state=seed).fit(codes)
        predictions = task.predict(probabilities=final)
        np.testing.assert_array_equal(predictions.clusters[:, 0], expected.labels_)
        assert predictions.probabilities is None
        assert task.selection_losses() == (float(expected.inertia_),)


def test_the_inertia_is_that_of_the_present_weights(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    task.predict(probabilities=True)
    before = task.selection_losses()
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.mul_(1.1)
    after = task.selection_losses()
    assert after is not None and before is not None and after[0] > before[0]
    task.predict()
    assert task.selection_losses() == after


def test_evaluation_leaves_the_network_in_training_mode_and_its_statistics_alone(
    tmp_path: Path,
) -> None:
    task = make_task(tmp_path, **CONVOLUTIONAL)
    norms = [part for part in task.network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms and task.network.train()
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
    task.predict()
    assert task.network.training
    for norm, mean in zip(norms, before, strict=True):
        assert norm.running_mean is not None and torch.equal(norm.running_mean, mean)
    task.refresh_statistics()
    for norm, mean in zip(norms, before, strict=True):
        assert norm.running_mean is not None and not torch.equal(norm.running_mean, mean)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_is_float32_whatever_the_precision(tmp_path: Path, precision: str) -> None:
    task = make_task(
        tmp_path, **CONVOLUTIONAL, compute={"precision": precision, "channels_last": True}
    )
    loss = task.loss(task.passes_of(0)[0], torch.arange(20), torch.Generator())
    assert (loss.shape, loss.dtype) == ((1,), torch.float32)
    assert task.points().dtype == np.float32


CODES = np.random.default_rng(0).normal(3, [1, 50], (200, 2)).astype(np.float32)


def test_scalings_of_the_code() -> None:
    assert scaled(CODES, "none") is CODES
    standard = scaled(CODES, "standardise")
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-6)
    unit = scaled(CODES, "l2")
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(unit[:, 0] * CODES[:, 1], unit[:, 1] * CODES[:, 0], atol=1e-4)


@pytest.mark.parametrize("scaling", ["standardise", "l2"])
def test_codes_without_a_size_stay_finite(scaling: str) -> None:
    assert np.isfinite(scaled(np.zeros((5, 3), np.float32), scaling)).all()


def test_scaling_decides_what_is_found() -> None:
    """Two groups in the short coordinate are only seen where the long one is scaled down."""
    draw = np.random.default_rng(1)
    group = np.arange(200) % 2
    codes = np.stack([group + draw.normal(0, 0.05, 200), draw.normal(0, 50, 200)], axis=1)
    agreement = {}
    for scaling in ("none", "standardise"):
        points = scaled(codes.astype(np.float32), scaling)
        match = float((kmeans(points, 2, seed=2**40, restarts=10).clusters == group).mean())
        agreement[scaling] = max(match, 1 - match)
    assert agreement["standardise"] > 0.95 > 0.7 > agreement["none"]
