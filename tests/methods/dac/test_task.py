"""DAC in the loop: thresholds that move, labels of its own, chunks of the variant; it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from iic.methods.dac import loss as losses
from iic.methods.dac import task as tasks
from iic.methods.dac.network import DACNetwork
from iic.methods.dac.network_settings import DACNetworkSettings
from iic.methods.dac.settings import AllSamplesSettings, ThresholdSettings
from iic.methods.dac.task import AllSamplesTask
from tests.methods.autoencoders.test_methods import CHANCE
from tests.methods.clustering_helpers import context, mixer, score, train
from tests.quick import first_quick

CPU = torch.device("cpu")
LEARNING: dict[str, Any] = {
    "number": 1797,
    "classifier": {"input_size": 20, "widths": [16, 32], "convolutions": 2},
    "augmentation": {"input_size": 20},
    "batch_images": 32,
    "thresholds": {"eta": 0.08},
    "schedule": {"epochs": 5, "evaluate_every": 5, "evaluation_batch": 1797},
}


def test_the_published_thresholds_meet_after_46_epochs() -> None:
    thresholds = ThresholdSettings()
    assert thresholds.at(0) == pytest.approx((0.95, 0.455))
    assert thresholds.at(10) == pytest.approx((0.95 - 0.099, 0.455 + 0.0099))
    assert thresholds.at(45)[0] > thresholds.at(45)[1]
    assert thresholds.at(46)[0] < thresholds.at(46)[1]
    # the only place where they are equal, whatever the rate
    assert thresholds.at(45)[0] == pytest.approx(0.5, abs=0.01)


def test_the_released_threshold_falls_by_0_02_a_visit() -> None:
    own = AllSamplesSettings()
    assert [own.at(epoch, 20) for epoch in (0, 1, 19)] == pytest.approx([0.9, 0.88, 0.52])


def test_each_epoch_has_its_thresholds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []
    own = losses.pair_labels

    def labels(values: Tensor, upper: Tensor, lower: Tensor) -> losses.PairLabels:
        assert not values.requires_grad
        seen.append((float(upper), float(lower)))
        return own(values, upper, lower)

    monkeypatch.setattr(tasks, "pair_labels", labels)
    train(tmp_path, "dac")
    wanted = [ThresholdSettings().at(step // 5) for step in range(15)]
    np.testing.assert_allclose(seen, wanted, rtol=1e-6)


def test_labels_of_a_chunk_are_held_while_it_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[tuple[Tensor, Tensor]] = []
    remembered: dict[int, Tensor] = {}
    begin, own = AllSamplesTask.begin_epoch, AllSamplesTask.loss

    def begun(self: AllSamplesTask, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        outputs = torch.cat(list(self.evaluations(self.training[self.chunk(epoch)])))[:, 0]
        begin(self, epoch, optimiser)
        for position, row in zip(self.chunk(epoch).tolist(), outputs, strict=True):
            remembered[position] = normalize(row, dim=0)
        assert float(self.network.thresholds[0]) == pytest.approx(
            (0.9, 0.9 - 0.4 / 3, 0.9 - 0.8 / 3)[epoch // 2]
        )

    def loss(self: AllSamplesTask, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        wanted = torch.stack([remembered[position] for position in indices.tolist()])
        used.append((self.network.targets[indices].clone(), wanted))
        return own(self, head, indices, draw)

    monkeypatch.setattr(AllSamplesTask, "begin_epoch", begun)
    monkeypatch.setattr(AllSamplesTask, "loss", loss)
    train(tmp_path, "dac-all_samples")
    assert len(used) == 36
    for targets, wanted in used:
        torch.testing.assert_close(targets, wanted)


def test_a_visit_has_each_image_in_one_chunk_at_most(tmp_path: Path) -> None:
    task = AllSamplesTask(context(tmp_path, "dac-all_samples"), CPU)
    for visit in range(2):
        first, second = (task.chunk(2 * visit + number).tolist() for number in (0, 1))
        # 20 of 300 images fill no chunk
        assert len(set(first) | set(second)) == 280 == len(first) + len(second)
        order = task.order(2 * visit, 0)
        assert [len(batch) for batch in order] == [60, 60, 20] * 2
        for inner in (order[:3], order[3:]):
            assert sorted(torch.cat(inner).tolist()) == sorted(first)
    assert task.chunk(0).tolist() != task.chunk(2).tolist()


def test_the_variants_errors(tmp_path: Path) -> None:
    for changes, terms in (
        ({}, ("square",)),
        ({"error": "entropy"}, ("entropy",)),
        ({"error": "entropy", "own_weight": 10.0}, ("entropy", "own")),
    ):
        task = AllSamplesTask(context(tmp_path, "dac-all_samples", all_samples=changes), CPU)
        task.begin_epoch(0, task.optimiser())
        batch = task.order(0, 0)[0]
        found = task.loss("pairs", batch, torch.Generator().manual_seed(1))
        outputs = normalize(task._transformed(batch, torch.Generator().manual_seed(1)), dim=1)
        targets = task.network.targets[batch]
        alike = targets @ targets.T >= task.network.thresholds[0]
        values = outputs @ outputs.T
        wanted = torch.zeros(())
        if "square" in terms:
            wanted = (values - alike.float()).square().mean()
        if "entropy" in terms:
            chances = values.clamp(1e-7, 1 - 1e-7)
            wanted = torch.nn.functional.binary_cross_entropy(chances, alike.float())
        if "own" in terms:
            wanted = wanted + 10 * torch.nn.functional.binary_cross_entropy(outputs, targets)
        assert float(found.detach()) == pytest.approx(float(wanted.detach()), rel=1e-4), terms


def test_the_network_of_mnist_has_the_released_shapes() -> None:
    network = DACNetwork(DACNetworkSettings(input_size=28, in_channels=1), 10)
    shapes = [
        tuple(layer.weight.shape)
        for layer in network.layers
        if hasattr(layer, "weight") and layer.weight.ndim > 1
    ]
    assert shapes == [
        (64, 1, 3, 3), (64, 64, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3),
        (128, 128, 3, 3), (10, 128, 1, 1), (10, 10), (10, 10),
    ]  # fmt: skip
    maps = [part.shape for part in _maps(network, torch.zeros(2, 1, 28, 28))]
    assert (2, 64, 22, 22) in maps and (2, 128, 2, 2) in maps
    for linear in (layer for layer in network.layers if isinstance(layer, torch.nn.Linear)):
        assert torch.equal(linear.weight, torch.eye(10)) and not linear.bias.any()
    assert not [name for name in network.state_dict() if "running" in name]


def _maps(network: DACNetwork, values: Tensor) -> list[Tensor]:
    found = []
    for layer in network.layers:
        values = layer(values)
        found.append(values)
    return found


@pytest.mark.parametrize("seed", first_quick(range(3)))
def test_it_learns(tmp_path: Path, seed: int) -> None:
    assert score(train(tmp_path, "dac", seed=seed, **LEARNING)) > CHANCE + 30


def test_without_agreeing_pairs_it_learns_much_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of pairs that are shuffled among the images of a batch.

    Measured: 80.1 % in place of 38.3, 48.5 and 45.5 (shuffled by seeds 0, 1, 2); untrained 32.2.
    Each image is still alike to itself, which sharpens what the first weights tell apart: mixed
    pairs stay above the untrained network, and no bound near chance holds for every shuffle.
    """
    agreeing = score(train(tmp_path / "agreeing", "dac", **LEARNING))
    own, mix = losses.pair_labels, mixer()

    def shuffled(values: Tensor, upper: Tensor, lower: Tensor) -> losses.PairLabels:
        mixed = mix(len(values))
        return losses.PairLabels(*(part[mixed][:, mixed] for part in own(values, upper, lower)))

    monkeypatch.setattr(tasks, "pair_labels", shuffled)
    assert score(train(tmp_path / "mixed", "dac", **LEARNING)) < agreeing - 30
