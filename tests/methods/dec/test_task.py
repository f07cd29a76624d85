"""DEC in the loop: each phase trains what it should, P is that of all images, and it stops."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from iic.engine.context import Interrupted, NonFiniteLoss
from iic.engine.seeding import derive
from iic.methods.dec.loss import soft_assignment, target_distribution
from iic.methods.dec.task import DECTask
from tests.methods.autoencoders.autoencoder_helpers import digits
from tests.methods.autoencoders.test_task import interrupt, same
from tests.methods.dec.dec_helpers import context, run

CPU = torch.device("cpu")
NAMES = ["layer 1"] * 2 + ["layer 2"] * 2 + ["layer 3"] * 2 + ["finetuning"] * 2
NAMES += ["clustering"] * 3
"""Phase of each epoch of `dec_helpers.SETTINGS`."""


def make_task(folder: Path, **arguments: Any) -> DECTask:
    return DECTask(context(folder, **arguments), CPU)


def weights(task: DECTask) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in task.network.named_parameters()}


def interrupted_at(patch: pytest.MonkeyPatch, step: int, effect: Any = interrupt) -> None:
    """Apply `effect` to the loss of training step `step`, counted from 1, of the process."""
    original, done = DECTask.loss, 0

    def loss(self: DECTask, *arguments: Any) -> Tensor:
        nonlocal done
        done += 1
        value = original(self, *arguments)
        return effect(value) if done == step else value

    patch.setattr(DECTask, "loss", loss)


# modules of the encoder and of the decoder that a phase trains
TRAINED = {
    "layer 1": {"encoder.1", "decoder.4"},
    "layer 2": {"encoder.3", "decoder.2"},
    "layer 3": {"encoder.5", "decoder.0"},
    "finetuning": {f"encoder.{i}" for i in (1, 3, 5)} | {f"decoder.{i}" for i in (0, 2, 4)},
    "clustering": {f"encoder.{i}" for i in (1, 3, 5)} | {"centres"},
}


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_each_phase_trains_its_layers_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decay: float
) -> None:
    before: dict[str, Tensor] = {}
    changed: list[set[str]] = []
    begin, end = DECTask.begin_epoch, DECTask.end_epoch

    def begun(self: DECTask, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        # centres are set here, and that is no step
        before.update(weights(self))
        begin(self, epoch, optimiser)

    def ended(self: DECTask, epoch: int) -> bool:
        moved = {name for name, value in weights(self).items() if not value.equal(before[name])}
        changed.append({name.removesuffix(".weight").removesuffix(".bias") for name in moved})
        return end(self, epoch)

    monkeypatch.setattr(DECTask, "begin_epoch", begun)
    monkeypatch.setattr(DECTask, "end_epoch", ended)
    outcome = run(tmp_path, optimiser={"learning_rate": 0.01, "weight_decay": decay})
    assert [entry["head"] for entry in outcome.history] == [[], *([name] for name in NAMES)]
    assert changed == [TRAINED[name] for name in NAMES]


def test_learning_rates_and_momentum_of_each_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    momenta: list[int] = []
    original = DECTask.begin_epoch

    def begin(self: DECTask, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        original(self, epoch, optimiser)
        rates.append(optimiser.param_groups[0]["lr"])
        momenta.append(len(optimiser.state))

    monkeypatch.setattr(DECTask, "begin_epoch", begin)
    run(tmp_path)
    assert rates == pytest.approx([0.1, 0.01] * 4 + [0.01] * 3)
    # forgotten at the start; then weight and bias of each trained layer
    assert momenta == [0, 4, 0, 4, 0, 4, 0, 12, 0, 7, 7]


def test_a_layer_sees_the_clean_outputs_of_those_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        "iic.methods.dec.task.layer_error",
        lambda inputs, *_, **given: seen.append((inputs, given)) or inputs.sum(),
    )
    task = make_task(tmp_path, pretraining={"dropout": 0.3})
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.normal_()
    indices = torch.arange(20)
    for layer in range(3):
        task.loss(f"layer {layer + 1}", indices, torch.Generator())
    values = task.inputs(indices).flatten(1)
    for layer, (inputs, given) in enumerate(seen):
        torch.testing.assert_close(inputs, values)
        assert (given["first"], given["last"]) == (layer == 0, layer == 2)
        assert (given["input_dropout"], given["dropout"]) == (0.3, 0.3)
        values = task.network.pair(layer)[0](values).relu().detach()
    task_of_both = make_task(tmp_path, pretraining={"corrupt_images": False})
    for layer, share in ((0, 0), (1, 0.2)):
        task_of_both.loss(f"layer {layer + 1}", indices, torch.Generator())
        assert seen[-1][1]["input_dropout"] == share


def test_first_weights_by_the_number_of_inputs(tmp_path: Path) -> None:
    network = make_task(tmp_path, autoencoder={"widths": [400, 300]}).network
    for layer in range(3):
        for half in network.pair(layer):
            weight, reach = half.weight.detach(), half.in_features**-0.5
            assert 0.98 * reach < float(weight.abs().max()) <= reach
            assert float(weight.std()) == pytest.approx(reach / 3**0.5, rel=0.1)
            assert not half.bias.any()


def test_first_weights(tmp_path: Path) -> None:
    network = make_task(
        tmp_path, autoencoder={"widths": [400, 300]}, pretraining={"initial_deviation": 0.01}
    ).network
    for layer in range(3):
        for half in network.pair(layer):
            assert float(half.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
            assert abs(float(half.weight.detach().mean())) < 1e-3
            assert not half.bias.any()
    down, up = network.pair(1)
    assert (down.in_features, down.out_features) == (up.out_features, up.in_features) == (400, 300)


def test_images_are_scaled_to_a_mean_square_of_one(tmp_path: Path) -> None:
    splits = {"train": 200, "test": 100}
    task = make_task(tmp_path, splits=splits, **{"autoencoder": {"input_size": 4}})
    seen = task.inputs(torch.arange(300))
    assert float(seen.square().mean()) == pytest.approx(1, rel=1e-5)
    assert float(task.network.scale) == pytest.approx(task.scale)
    given = make_task(tmp_path, scale=5.1)
    expected = torch.from_numpy(digits()[0][:10]).float() / 255 * 5.1
    torch.testing.assert_close(given.inputs(torch.arange(10)), expected)
    black = make_task(tmp_path, images=np.zeros((300, 1, 8, 8), np.uint8))
    assert black.scale == 1


def codes_of(task: DECTask, number: int = 300) -> Tensor:
    with torch.no_grad():
        codes: Tensor = task.network.encoder(task.inputs(torch.arange(number)))
    return codes


def test_centres_are_k_means_of_all_training_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = DECTask.start_clustering
    checked: list[bool] = []

    def start(self: DECTask) -> None:
        with torch.no_grad():
            codes = self.network.encoder(self.inputs(torch.arange(300))).numpy()
        expected = KMeans(10, n_init=4, random_state=derive(0, "centres") % 2**32).fit(codes)
        original(self)
        np.testing.assert_array_equal(self.network.centres.detach(), expected.cluster_centers_)
        assert bool(self.network.started) and not self.network.stopped
        # k-means and the highest q agree: both are the nearest centre
        np.testing.assert_array_equal(self.network.labels, expected.labels_)
        checked.append(True)

    monkeypatch.setattr(DECTask, "start_clustering", start)
    run(tmp_path, clusters={"restarts": 4})
    assert checked == [True]


@pytest.mark.parametrize("every", [1, 2])
def test_targets_are_those_of_all_images_and_held_for_whole_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    used: list[Tensor] = []
    targets: list[Tensor] = []
    own = DECTask._set_targets

    def refresh(self: DECTask) -> None:
        own(self)
        with torch.no_grad():
            codes = self.network.encoder(self.inputs(torch.arange(300)))
            q = soft_assignment(codes, self.network.centres)
        targets.append(target_distribution(q))
        # not what a batch by itself would give
        assert (target_distribution(q[:64]) - targets[-1][:64]).abs().max() > 1e-4

    def divergence(p: Tensor, q: Tensor) -> Tensor:
        used.append(p.clone())
        return torch.nn.functional.kl_div(q.log(), p, reduction="batchmean")

    monkeypatch.setattr(DECTask, "_set_targets", refresh)
    monkeypatch.setattr("iic.methods.dec.task.divergence", divergence)
    run(tmp_path, refresh_epochs=every, schedule={"epochs": 4, "evaluate_every": 100})
    # at the start, then after each `every` epochs; no prediction uses the divergence but the last
    assert len(targets) == 1 + 4 // every
    order = make_task(tmp_path / "order", refresh_epochs=every).order
    for epoch in range(4):
        rows = order(8 + epoch, 0)
        for step, indices in enumerate(rows):
            torch.testing.assert_close(used[5 * epoch + step], targets[epoch // every][indices])


def test_rows_of_targets_are_those_of_the_trained_splits(tmp_path: Path) -> None:
    sizes = {"train": 100, "unlabeled": 150, "test": 50}
    task = make_task(tmp_path, splits=sizes, evaluation={"test": ["test"], "mapping": ["test"]})
    assert task.network.targets.shape == (300, 10)
    made = context(tmp_path, splits=sizes)
    object.__setattr__(
        made, "settings", made.settings.model_copy(update={"splits": ("test", "train")})
    )
    named = DECTask(made, CPU)
    assert len(named.training) == 150
    torch.testing.assert_close(named.training[named.rows[named.training]], named.training)
    named.start_clustering()
    with torch.no_grad():
        codes = named.network.encoder(named.inputs(torch.tensor([260, 3])))
        q = soft_assignment(codes, named.network.centres)
    rows = named.rows[torch.tensor([260, 3])]
    assert torch.equal(named.network.labels[rows].long(), q.argmax(dim=1))


def test_it_ends_when_few_labels_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares that change: 5, 2 and 1 of 300; the end is the first below the tolerance."""
    shares = iter([5, 2, 1, 0])
    own = DECTask._set_targets

    def refresh(self: DECTask) -> None:
        started = bool(self.network.labels.any())
        before = self.network.labels.clone()
        own(self)
        if started:
            self.network.labels.copy_(before)
            changed = next(shares)
            self.network.labels[:changed] = (before[:changed] + 1) % 10

    monkeypatch.setattr(DECTask, "_set_targets", refresh)
    outcome = run(tmp_path, tolerance=1.5 / 300, schedule={"epochs": 20})
    assert outcome.last.epoch == 8 + 3
    assert outcome.steps == (8 + 3) * 5
    assert outcome.history[-1]["epoch"] == 11 and outcome.history[-1]["accuracy"] is not None


def test_a_tolerance_of_nothing_never_ends_it(tmp_path: Path) -> None:
    still = {"optimiser": {"learning_rate": 1e-12}, "schedule": {"epochs": 4}}
    assert run(tmp_path / "a", tolerance=0.0, **still).last.epoch == 12
    assert run(tmp_path / "b", tolerance=1e-3, **still).last.epoch == 9
    # nothing is compared before P is due
    assert run(tmp_path / "c", tolerance=1e-3, refresh_epochs=3, **still).last.epoch == 11


# steps are 5 an epoch: in the first, at the end of a layer, in the next one, at the end of the
# finetuning, in the first and the second epoch of clustering, in the very last
@pytest.mark.parametrize("after", [1, 10, 11, 13, 30, 40, 41, 47, 50, 55])
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    with monkeypatch.context() as patch:
        interrupted_at(patch, after)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {after}"):
            run(tmp_path / "a")
    resumed = run(tmp_path / "a")
    assert len(resumed.sessions) == 2
    same(run(tmp_path / "b"), resumed)


def test_stopped_between_two_epochs_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = run(tmp_path / "whole")
    own = DECTask.begin_epoch
    for epoch in (2, 8, 9):
        folder = tmp_path / str(epoch)
        with monkeypatch.context() as patch:

            def begin(
                self: DECTask, number: int, optimiser: torch.optim.Optimizer, stop: int = epoch
            ) -> None:
                if number == stop:
                    raise KeyboardInterrupt
                own(self, number, optimiser)

            patch.setattr(DECTask, "begin_epoch", begin)
            with pytest.raises(KeyboardInterrupt):
                run(folder)
        same(uninterrupted, run(folder))


def test_a_run_that_has_ended_early_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = {"optimiser": {"learning_rate": 1e-12}, "schedule": {"epochs": 4}, "tolerance": 1e-3}
    with monkeypatch.context() as patch:
        patch.setattr("iic.engine.loop.finish", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "a", **still)
    again = run(tmp_path / "a", **still)
    assert (again.last.epoch, again.steps) == (9, 45)
    same(run(tmp_path / "b", **still), again)


def test_a_loss_that_is_not_finite_stops_before_the_targets_are_made_of_it(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss, match="loss is"):
        run(tmp_path, optimiser={"learning_rate": 1e30})


def test_predictions_before_and_after_the_centres_are_set(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    before = task.predict(probabilities=True)
    assert before.probabilities is None and before.clusters.shape == (300, 1)
    task.start_clustering()
    predict = task.predict(probabilities=True)
    with torch.no_grad():
        q = soft_assignment(codes_of(task), task.network.centres).numpy()
    np.testing.assert_array_equal(predict.clusters[:, 0], q.argmax(axis=1))
    assert predict.clusters.dtype == np.uint8 and predict.probabilities is not None
    np.testing.assert_allclose(predict.probabilities[:, 0], q, atol=1e-3)
    p = target_distribution(torch.from_numpy(q).double()).numpy()
    losses = task.selection_losses()
    assert losses is not None
    (loss,) = losses
    assert loss == pytest.approx(float((p * np.log(p / q)).sum(axis=1).mean()), rel=1e-4)
