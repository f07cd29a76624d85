"""The template is a method: its loss is what it says, and it learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.augment.grey import GreyPipeline
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods._template.loss import agreement_loss
from iic.methods._template.method import Settings, train
from iic.params.datasets import find_dataset
from iic.params.loading import validate
from iic.params.resolve import merged
from tests.engine.test_loop import same
from tests.methods.methods_helpers import TINY_NETWORK, context, digits

SETTINGS: dict[str, Any] = {
    "network": TINY_NETWORK["network"] | {"channels": [8, 16]},
    "augmentation": TINY_NETWORK["augmentation"],
    "k": 10,
    "batch_images": 60,
    "schedule": {"epochs": 3, "evaluation_batch": 50},
}


def test_the_loss_by_hand() -> None:
    first = torch.tensor([[0.8, 0.2], [0.4, 0.6]], dtype=torch.float64)
    second = torch.tensor([[0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)
    agreement = -(math.log(0.4 + 0.1) + math.log(0.04 + 0.54)) / 2
    entropy = -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert float(agreement_loss(first, second, 3.0)) == pytest.approx(agreement - 3 * entropy)


def test_certain_even_clusters_have_the_least_loss() -> None:
    certain = torch.eye(4).repeat(5, 1).double()
    least = -2 * math.log(4)
    assert float(agreement_loss(certain, certain, 2.0)) == pytest.approx(least)
    uneven, unsure = torch.eye(4)[[0] * 20].double(), torch.full((20, 4), 0.25).double()
    moved = certain.roll(1, dims=1)
    for first, second in ((uneven, uneven), (unsure, unsure), (certain, moved)):
        first.requires_grad_()
        loss = agreement_loss(first, second, 2.0)
        loss.backward()  # type: ignore[no-untyped-call]
        assert float(loss.detach()) > least + 0.5 and bool(first.grad.isfinite().all())  # type: ignore[union-attr]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    same(*(train(context(tmp_path / name, Settings, SETTINGS)) for name in "ab"))


def test_it_learns_the_digits_without_their_labels(tmp_path: Path) -> None:
    scores = []
    for epochs in (0, 60):
        settings = merged(SETTINGS, {"schedule": {"epochs": epochs, "evaluate_every": 60}})
        outcome = train(context(tmp_path / str(epochs), Settings, settings, labelled=False))
        _, labels = digits()
        scores += accuracy_per_sub_head(outcome.last.clusters, labels, 10, 10).tolist()
        assert outcome.best_label is None and outcome.probabilities is not None
        np.testing.assert_allclose(outcome.probabilities.sum(axis=2), 1, atol=5e-3)
    assert scores[1] > scores[0] + 10


def test_of_another_images_transform_it_learns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured: 83.3 % with pairs of an image and its transform, 10.8 % with pairs of two."""
    settings = merged(SETTINGS, {"schedule": {"epochs": 60, "evaluate_every": 60}})
    own = GreyPipeline.transformed

    def another(self: GreyPipeline, images: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return own(self, images.roll(1, 0), *arguments)

    def score(name: str) -> float:
        outcome = train(context(tmp_path / name, Settings, settings, labelled=False))
        return float(accuracy_per_sub_head(outcome.last.clusters, digits()[1], 10, 10)[0])

    true = score("own")
    monkeypatch.setattr(GreyPipeline, "transformed", another)
    assert true > score("another's") + 40


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"k": 9}, "k"), ({"splits": ["trian"]}, "splits"), ({"batch_images": 70001}, "batch_images")],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], key: str) -> None:
    settings = validate(Settings, merged(SETTINGS, changes), "tests", "settings")
    assert key in [problem.key for problem in settings.problems(find_dataset("mnist"))]
