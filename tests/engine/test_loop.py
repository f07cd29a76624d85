"""The training loop: repeatable, resumable, and clear when something is wrong."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.augment.grey import GreyPipeline
from iic.engine import checkpoints
from iic.engine.checkpoints import CheckpointError
from iic.engine.context import Interrupted, NonFiniteLoss, Outcome
from iic.engine.loop import TRAJECTORY_STEPS
from iic.methods.iic.method import train
from iic.methods.iic.task import ClusteringTask
from iic.records.history import TIME_FIELDS
from tests.engine.tiny import context


def same(one: Outcome, other: Outcome) -> None:
    """Everything but times is equal, byte by byte."""
    assert one.tensors is not None and other.tensors is not None
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert tensor.tobytes() == other.tensors[name].tobytes(), name
    for mine, theirs in [(one.last, other.last), (one.best_label, other.best_label)]:
        assert mine is not None and theirs is not None
        assert mine.epoch == theirs.epoch
        assert mine.losses == theirs.losses
        np.testing.assert_array_equal(mine.clusters, theirs.clusters)
    assert untimed(one) == untimed(other)
    assert one.trajectory == other.trajectory
    assert one.probabilities is not None and other.probabilities is not None
    assert one.probabilities.tobytes() == other.probabilities.tobytes()


def untimed(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in entry.items() if key not in TIME_FIELDS}
        for entry in outcome.history
    ]


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    first = train(context(tmp_path / "a"))
    again = train(context(tmp_path / "b"))
    other = train(context(tmp_path / "c", seed=1))
    same(first, again)
    assert first.tensors is not None and other.tensors is not None
    name = next(iter(first.tensors))
    assert first.tensors[name].tobytes() != other.tensors[name].tobytes()


@pytest.fixture(scope="module", params=["dataset", "shuffled"])
def undisturbed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Outcome]:
    """Order of the pairs, and a run that nothing stopped."""
    order = str(request.param)
    folder = tmp_path_factory.mktemp("undisturbed")
    return order, train(context(folder, pairs={"order": order}))


# an epoch has three passes of 5 steps: inside a pass, between two, and in the very last step
@pytest.mark.parametrize("after", [1, 5, 11, 20, 45])
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: tuple[str, Outcome],
    after: int,
) -> None:
    order, expected = undisturbed
    with monkeypatch.context() as patch:
        signal_after(patch, after, signal.SIGTERM)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {after}.*checkpoint"):
            train(context(tmp_path, pairs={"order": order}))
    resumed = train(context(tmp_path, pairs={"order": order}))
    same(expected, resumed)
    assert [(one.first_step, one.last_step) for one in resumed.sessions] == [
        (0, after),
        (after, resumed.steps),
    ]


def test_the_first_losses_are_kept_to_the_last_bit(undisturbed: tuple[str, Outcome]) -> None:
    _, outcome = undisturbed
    assert len(outcome.trajectory) == TRAJECTORY_STEPS < outcome.steps
    passes = np.array(outcome.trajectory).reshape(-1, 5)
    losses = [loss for entry in outcome.history for loss in entry["loss"] or ()]  # type: ignore[attr-defined]
    assert (passes.sum(axis=1) / 5).tolist() == losses[: len(passes)]


def test_a_checkpoint_without_the_first_losses_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[str, Outcome]
) -> None:
    order, expected = undisturbed
    run = context(tmp_path, pairs={"order": order})
    with monkeypatch.context() as patch:
        signal_after(patch, 3, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(run)
    path = tmp_path / run.paths.scratch / checkpoints.NAME
    content = torch.load(path, weights_only=True)
    assert [float(loss) for loss in content["state"].pop("trajectory")] == expected.trajectory[:3]
    torch.save(content, path)
    assert train(run).trajectory == []


def signal_after(patch: pytest.MonkeyPatch, steps: int, number: signal.Signals) -> None:
    """Send this process a signal while it is in step `steps` of the run."""
    original = ClusteringTask.loss
    done = 0

    def loss(self: ClusteringTask, *arguments: Any) -> torch.Tensor:
        nonlocal done
        # the selection's passes run without gradients and are no training steps
        if torch.is_grad_enabled():
            done += 1
            if done == steps:
                signal.raise_signal(number)
        return original(self, *arguments)

    patch.setattr(ClusteringTask, "loss", loss)


def test_passes_train_the_heads_in_the_order_of_the_settings(tmp_path: Path) -> None:
    outcome = train(context(tmp_path, head_order="A first"))
    assert [entry["head"] for entry in outcome.history] == [[], *[["A", "B", "B"]] * 3]
    assert [len(entry["loss"] or []) for entry in outcome.history] == [0, 3, 3, 3]
    assert outcome.steps == 3 * 3 * 5


def test_untrained_overclustering_head_stays_as_it_was(tmp_path: Path) -> None:
    """The finding about MNIST: head A's passes train head B."""
    published = train(context(tmp_path / "a", overclustering_head=False))
    assert [entry["head"] for entry in published.history[1:]] == [["B", "B", "B"]] * 3
    untrained = train(context(tmp_path / "b", schedule={"epochs": 0}))
    corrected = train(context(tmp_path / "c"))
    assert published.tensors and untrained.tensors and corrected.tensors
    weight = "last.heads.A.linear.weight"
    assert weight in published.tensors, sorted(published.tensors)
    np.testing.assert_array_equal(published.tensors[weight], untrained.tensors[weight])
    assert (corrected.tensors[weight] != untrained.tensors[weight]).any()


def test_labels_are_never_trained_on(tmp_path: Path) -> None:
    labelled = train(context(tmp_path / "a"))
    unlabelled = train(context(tmp_path / "b", labelled=False))
    assert unlabelled.best_label is None
    assert all(entry["accuracy"] is None for entry in unlabelled.history)
    assert labelled.tensors and unlabelled.tensors
    for name, tensor in unlabelled.tensors.items():
        assert tensor.tobytes() == labelled.tensors[name].tobytes(), name


@pytest.mark.parametrize("partners", ["own", "another's"])
def test_it_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partners: str) -> None:
    """Of pairs of an image and its own transform, and nothing of pairs of two images.

    Batches are of 40 images: of 8 the information of two images' pairs seems large.
    """
    if partners != "own":
        own = GreyPipeline.transformed

        def another(self: GreyPipeline, images: Any, repeats: int, draw: Any) -> Any:
            return own(self, images.roll(1, 0), repeats, draw)

        monkeypatch.setattr(GreyPipeline, "transformed", another)
    pairs = {"batch_pairs": 120, "order": "shuffled"}
    settings = {"pairs": pairs, "schedule": {"epochs": 40, "evaluate_every": 40}}
    outcome = train(context(tmp_path, number=80, **settings))
    first, last = outcome.history[1]["loss"], outcome.history[-1]["loss"]
    assert isinstance(first, list) and isinstance(last, list)
    fall = first[-1] - last[-1]
    assert fall > 0.2 if partners == "own" else fall < 0.1


def test_non_finite_loss_stops_with_the_last_checkpoint_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ClusteringTask.loss
    steps = 0

    def loss(self: ClusteringTask, *arguments: Any) -> torch.Tensor:
        nonlocal steps
        steps += torch.is_grad_enabled()
        result = original(self, *arguments)
        return result * float("nan") if steps >= 20 else result

    undisturbed = train(context(tmp_path / "a"))
    with monkeypatch.context() as patch:
        patch.setattr(ClusteringTask, "loss", loss)
        with pytest.raises(NonFiniteLoss, match=r"nan in epoch 2.*last checkpoint is left in"):
            train(context(tmp_path / "b"))
    same(undisturbed, train(context(tmp_path / "b")))


def test_weights_that_are_not_finite_are_never_saved_nor_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a step says nothing of the weights after it."""
    original = torch.optim.Adam.step
    steps = 0

    def step(self: torch.optim.Adam, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        result = original(self, *arguments)
        if steps == 45:  # the run's last step
            parameter = next(iter(self.state))
            assert isinstance(parameter, torch.Tensor)
            parameter.data.fill_(float("nan"))
        return result

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", step)
        with pytest.raises(NonFiniteLoss, match="last checkpoint is left in"):
            train(context(tmp_path / "b"))
    same(train(context(tmp_path / "a")), train(context(tmp_path / "b")))


def test_partly_labelled_images_are_scored_where_they_are_labelled(tmp_path: Path) -> None:
    run = context(tmp_path)
    assert run.data.labels is not None
    run.data.labels[::3] = -1
    outcome = train(run)
    assert all(len(entry["accuracy"]) == 2 for entry in outcome.history)  # type: ignore[arg-type]


def test_a_lost_snapshot_is_noticed_before_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = context(tmp_path, schedule={"snapshot_steps": [2]})
    with monkeypatch.context() as patch:
        signal_after(patch, 3, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(run)
    next((tmp_path / run.paths.scratch / "snapshots").iterdir()).unlink()
    with pytest.raises(CheckpointError, match=r"step00000002.npy: missing.* delete"):
        train(run)


def test_checkpoint_of_other_settings_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        signal_after(patch, 3, signal.SIGINT)
        with pytest.raises(Interrupted):
            train(context(tmp_path))
    run = context(tmp_path, optimiser={"learning_rate": 0.5})
    object.__setattr__(run, "fingerprint", "e" * 64)
    path = tmp_path / run.paths.scratch / checkpoints.NAME
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"learning_rate was 0.001 and is 0.5.*delete it"):
        train(run)
    assert path.read_bytes() == before


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run = context(tmp_path)
    path = tmp_path / run.paths.scratch / checkpoints.NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        train(run)


def test_one_line_an_epoch_in_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        train(context(tmp_path))
    lines = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert len(lines) == 4
    assert lines[-1].startswith("bars/iic seed 0: epoch 3/3  loss ")


def test_snapshots_hold_every_prediction_at_their_steps(tmp_path: Path) -> None:
    outcome = train(context(tmp_path, schedule={"snapshot_steps": [0, 7]}))
    assert sorted(outcome.snapshots) == [0, 7]
    for snapshot in outcome.snapshots.values():
        assert snapshot.shape == (40, 2, 4)
        np.testing.assert_allclose(snapshot.sum(2), 1, atol=5e-3)


def test_max_steps_ends_the_run_early(tmp_path: Path) -> None:
    outcome = train(context(tmp_path, schedule={"max_steps": 7}))
    assert outcome.steps == 7
    assert [entry["steps"] for entry in outcome.history] == [0, 7]


def test_a_changing_rate_is_taken_up_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: dict[str, list[float]] = {"whole": [], "parts": []}
    step = torch.optim.Adam.step

    def noted(self: torch.optim.Adam, *arguments: Any) -> Any:
        rates[part].append(float(self.param_groups[0]["lr"]))
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    schedule = {"learning_rate": {"warm_up_steps": 3, "cosine_from": 0.2}}
    part = "whole"
    expected = train(context(tmp_path / "whole", schedule=schedule))
    part = "parts"
    with monkeypatch.context() as patch:
        signal_after(patch, 20, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(context(tmp_path / "parts", schedule=schedule))
    same(train(context(tmp_path / "parts", schedule=schedule)), expected)
    assert rates["whole"] == rates["parts"]
    assert rates["whole"][:3] == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3])
    assert rates["whole"][-1] < 1e-5
