"""Costs of IIC by hand; `tests.methods.test_cost` compares them with what is computed."""

from __future__ import annotations

import pytest

from iic.methods.iic import method
from iic.params.cost import Cost
from iic.params.datasets import Dataset, find_dataset
from iic.params.operations import NetworkPass, Operations, committed
from iic.params.runs import load_plan
from iic.params.training import HeadSettings

IMAGE = Operations(10, 29)


def mnist(**splits: int) -> Dataset:
    return find_dataset("mnist").model_copy(update={"splits": splits} if splits else {})


def count(way: NetworkPass) -> Operations:
    """As if each cluster of a head took 100 more."""
    k = way.others["heads"]["B"]
    return Operations(IMAGE.forward + 100 * k, IMAGE.training + 100 * k)


def settings(**changes: object) -> method.Settings:
    found = load_plan("paper").run("mnist/iic").settings
    assert isinstance(found, method.Settings)
    schedule = found.schedule.model_copy(update={"epochs": 10, "snapshot_steps": ()})
    return found.model_copy(update={"schedule": schedule, **changes})


def cost(dataset: Dataset, **changes: object) -> Cost:
    return settings(**changes).cost(dataset, lambda way: IMAGE)


def test_mnist_by_hand() -> None:
    """Model 685: 3 passes of 500 steps an epoch; each image as it is and 5 times transformed."""
    found = cost(mnist())
    assert found.steps == 10 * 3 * 500
    assert found.training == 10 * 3 * 70_000 * 6 * 29
    # eleven evaluations, the last prediction, and the sub-heads compared at two checkpoints
    assert found.evaluation == (12 * 70_000 + 2 * 70_000 * 6) * 10


def test_a_step_by_hand() -> None:
    """0.75 TFLOP for MNIST, were the originals counted r times: 140 images, 1,400 passes."""
    found = settings().cost(mnist(), committed)
    unique = (1 + 1 / 5) / 2
    assert found.training / found.steps / unique == pytest.approx(0.75e12, rel=0.01)


def test_each_head_counts_with_its_own_images_and_clusters() -> None:
    changes = {
        "head_a": HeadSettings(k=70, splits=("train", "unlabeled"), passes=2),
        "head_b": HeadSettings(k=10, splits=("train",)),
        "overclustering_head": True,
    }
    dataset = mnist(train=700, unlabeled=7_000, test=70)
    both = settings(**changes).cost(dataset, count)
    assert both.steps == 10 * (2 * 55 + 5)
    assert both.training == 10 * 6 * (2 * 7_700 * (29 + 7000) + 700 * (29 + 1000))
    one = settings(**changes | {"overclustering_head": False}).cost(dataset, count)
    assert one.training == 10 * 6 * 3 * 700 * (29 + 1000)


def test_heads_together_by_hand() -> None:
    """Two passes for both heads, whose clusters all are computed on the same features."""
    together = settings(
        heads_trained="together",
        overclustering_head=True,
        head_a=HeadSettings(k=50, passes=2),
    ).cost(mnist(), count)
    assert together.steps == 10 * 2 * 500
    assert together.training == 10 * 2 * 70_000 * 6 * (29 + 100 * 60)
