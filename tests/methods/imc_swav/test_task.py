"""IMC-SwAV in the loop: who is trained by what, the bank, the crops, and resumption."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.engine.context import Interrupted
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.imc_swav.method import train
from iic.methods.imc_swav.task import IMCSwAVTask
from iic.params.errors import IICError
from iic.records.files import RecordError, write_bytes
from tests.engine.test_loop import same
from tests.methods.imc_swav.imc_helpers import CLASSES, context, images

CPU = torch.device("cpu")
BANKED: dict[str, Any] = {
    "splits": ["train", "unlabeled"],
    "classifier_splits": ["train"],
    "evaluation": {"mapping": ["train"], "test": ["train"]},
}
PARTS = {"train": 30, "unlabeled": 60}


def task(folder: Path, **arguments: Any) -> IMCSwAVTask:
    one = IMCSwAVTask(context(folder, **arguments), CPU)
    one.network.train()
    return one


def step(one: IMCSwAVTask, indices: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return one.loss("crops", indices, torch.Generator().manual_seed(seed))


def gradients(loss: torch.Tensor, one: IMCSwAVTask) -> set[str]:
    """Parts of the network that a loss has a gradient in."""
    one.network.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    names = {"assigner.projector": "projector", "assigner.prototypes": "prototypes"}
    return {
        next((part for start, part in names.items() if name.startswith(start)), name.split(".")[0])
        for name, parameter in one.network.named_parameters()
        if parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
    }


@pytest.mark.parametrize("joint", [False, True])
def test_the_classifiers_loss_has_no_gradient_in_what_swav_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joint: bool
) -> None:
    one = task(tmp_path, joint=joint, frozen_prototypes=0)
    batch = torch.arange(20)
    assert gradients(step(one, batch), one) == {"encoder", "projector", "prototypes", "classifier"}
    with monkeypatch.context() as patch:
        patch.setattr("iic.methods.imc_swav.task.swap_loss", lambda *_, **__: torch.zeros(()))
        expected = {"classifier", "encoder"} if joint else {"classifier"}
        assert gradients(step(one, batch), one) == expected
    monkeypatch.setattr(IMCSwAVTask, "clustering", lambda *_: torch.zeros(()))
    assert gradients(step(one, batch), one) == {"encoder", "projector", "prototypes"}


def test_first_steps_leave_the_prototypes_byte_equal(tmp_path: Path) -> None:
    one = task(tmp_path)
    optimiser = one.optimiser()
    start = one.network.assigner.prototypes.weight.detach().clone()
    torch.testing.assert_close(start.norm(dim=1), torch.ones(16))
    equal = []
    for number in range(5):
        optimiser.zero_grad(set_to_none=False)
        step(one, torch.arange(20), number).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        equal.append(torch.equal(one.network.assigner.prototypes.weight, start))
    assert equal == [True, True, True, False, False]
    step(one, torch.arange(20))
    length = one.network.assigner.prototypes.weight.norm(dim=1)
    torch.testing.assert_close(length, torch.ones(16))


def test_the_bank_fires_at_a_batch_and_is_emptied_with_the_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = task(tmp_path, parts=PARTS, **BANKED)
    sizes: list[int] = []

    def noted(self: IMCSwAVTask, features: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        assert features.shape[:2] == scores.shape[:2] and not features.requires_grad
        sizes.append(features.shape[1])
        return torch.zeros(())

    monkeypatch.setattr(IMCSwAVTask, "clustering", noted)
    bank = one.network.bank
    assert bank is not None
    # 12 of the classifier's images in each batch, then 19, then 1: it has 12, 24, 19, 20
    few, many = torch.cat([torch.arange(12), torch.arange(60, 68)]), torch.arange(0, 19)
    held = []
    for batch in (few, few, many, torch.tensor([3, 70])):
        step(one, batch)
        held.append(bank.images.value)
    assert sizes == [24, 20] and held == [12, 0, 19, 0]
    step(one, few)
    one.begin_epoch(1, one.optimiser())
    assert bank.images.value == 0
    step(one, few)
    assert sizes == [24, 20] and bank.images.value == 12


def test_each_crop_is_normalised_by_its_own_statistics(tmp_path: Path) -> None:
    one = task(tmp_path)
    crops = one.crops.crops(one.store.batch(torch.arange(20)), torch.Generator().manual_seed(1))
    seen: list[torch.Tensor] = []
    norm = one.network.encoder.layers[1]
    norm.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().clone()))
    step(one, torch.arange(20), 1)
    assert [tuple(view.shape) for view in seen] == [(20, 4, *crop.shape[2:]) for crop in crops]
    for view in seen:
        torch.testing.assert_close(view.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
        torch.testing.assert_close(view.var((0, 2, 3)), torch.ones(4), atol=2e-2, rtol=0)
    # so a view's features are those that it has alone
    features, _ = one._views(crops)
    torch.testing.assert_close(features[3], one.network.encoder(crops[3]))


def test_a_last_small_batch_is_left_out(tmp_path: Path) -> None:
    one = task(tmp_path)
    batches = one.order(0, 0)
    assert [len(batch) for batch in batches] == [20] * 4 and one.steps("crops") == 4
    assert not torch.equal(batches[0], one.order(1, 0)[0])


def test_a_subset_is_drawn_by_the_seed(tmp_path: Path) -> None:
    first, again, other = (
        task(tmp_path, subset=40, seed=seed).training.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other and len(set(first)) == 40


@pytest.mark.parametrize("banked", [False, True])
@pytest.mark.parametrize("after", [2, 5])
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, banked: bool, after: int
) -> None:
    arguments = BANKED | {"parts": PARTS} if banked else {}

    def run(folder: Path) -> Any:
        return train(context(folder, **arguments))

    plain, done = IMCSwAVTask.loss, 0

    def counted(self: IMCSwAVTask, *given: Any) -> torch.Tensor:
        nonlocal done
        done += 1
        if done == after:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(IMCSwAVTask, "loss", counted)
        with pytest.raises(Interrupted):
            run(tmp_path / "a")
    resumed = run(tmp_path / "a")
    assert len(resumed.sessions) == 2
    same(run(tmp_path / "b"), resumed)


def test_it_learns_stripes_without_labels(tmp_path: Path) -> None:
    scores = []
    for epochs in (0, 25):
        schedule = {"epochs": epochs, "evaluate_every": 25, "evaluation_batch": 200}
        outcome = train(
            context(
                tmp_path / str(epochs), number=200, labelled=False, schedule=schedule,
                encoder={"channels": [8, 16]}, frozen_prototypes=20, hidden=32, prototypes=40,
                optimiser={"learning_rate": 3e-3},
            )
        )  # fmt: skip
        labels = images(200)[1]
        found = accuracy_per_sub_head(outcome.last.clusters, labels, CLASSES, CLASSES)
        scores.append(float(found[0]))
        assert outcome.probabilities is not None
        np.testing.assert_allclose(outcome.probabilities.sum(axis=2), 1, atol=5e-3)
        assert outcome.tensors is not None
        assert not any("bank" in name or "steps" in name for name in outcome.tensors)
    assert scores[1] > scores[0] + 15, scores


def finished(folder: Path, **arguments: Any) -> dict[str, np.ndarray]:
    """Weights of a run, stored as the job's wrapper stores them."""
    from safetensors.numpy import save

    made = context(folder, **arguments)
    outcome = train(made)
    assert outcome.tensors is not None
    write_bytes(folder / made.paths.weights, save(outcome.tensors))
    return outcome.tensors


def test_a_new_classifier_on_a_finished_runs_frozen_encoder(tmp_path: Path) -> None:
    base = finished(tmp_path)
    outcome = train(context(tmp_path, name="imc_swav-k7", k=7, start_from="imc_swav"))
    assert outcome.k == 7 and outcome.tensors is not None
    # those of the finished run have moved since they had length 1
    prototypes = "last.assigner.prototypes.weight"
    lengths = np.linalg.norm(base[prototypes], axis=1, keepdims=True)
    assert np.abs(lengths - 1).max() > 1e-4
    expected = base | {prototypes: base[prototypes] / lengths}
    for name, tensor in outcome.tensors.items():
        if name.startswith("last.") and "classifier" not in name:
            atol = 1e-6 if name == prototypes else 0
            np.testing.assert_allclose(tensor, expected[name], atol=atol, rtol=0, err_msg=name)
    last = "last.classifier.6.weight"
    assert outcome.tensors[last].shape[0] == 7
    losses = [entry["loss"] for entry in outcome.history if entry["loss"]]
    assert losses[-1][0] < losses[0][0]  # type: ignore[index]


def test_a_new_classifier_is_trained_on_the_classifiers_images(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"parts": PARTS, "frozen_prototypes": 0, **BANKED}
    finished(tmp_path, **arguments)
    one = task(tmp_path, name="imc_swav-k7", k=7, start_from="imc_swav", **arguments)
    assert one.training.tolist() == list(range(30)) and one.network.bank is None
    assert sum(map(len, one.order(0, 0))) == 20
    assert gradients(step(one, one.order(0, 0)[0]), one) == {"classifier"}


def test_the_same_run_with_statistics_of_the_test_images(tmp_path: Path) -> None:
    base = finished(tmp_path)
    schedule = {"evaluation_batch": 30}
    again, tested = (
        train(
            context(
                tmp_path, name="imc_swav-test", start_from="imc_swav", classifier="kept",
                schedule=schedule | {"double_evaluation": double},
            )
        ).tensors
        for double in (False, True)
    )  # fmt: skip
    assert again is not None and tested is not None
    assert len(base) == len(again) == len(tested)
    parameters = dict(task(tmp_path).network.named_parameters())
    for name, tensor in again.items():
        if name.startswith("last.") and "prototypes" not in name:
            assert tensor.tobytes() == base[name].tobytes(), name
            equal = tested[name].tobytes() == tensor.tobytes()
            assert equal == (name.removeprefix("last.") in parameters), name


def test_weights_that_are_not_there_or_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"imc_swav/seed0/weights\.safetensors: missing"):
        train(context(tmp_path, name="imc_swav-k7", start_from="imc_swav"))
    finished(tmp_path, prototypes=20)
    with pytest.raises(IICError, match=r"(?s)another network: assigner\.prototypes.*remedy"):
        train(context(tmp_path, name="imc_swav-k7", start_from="imc_swav"))
