"""Costs by hand: schedules, rates, and what every run of every scale says."""

from __future__ import annotations

import pytest

from iic.params.cost import (
    CLUSTERING_RATE,
    CORE_RATES,
    GPU_RATES,
    Cost,
    evaluated_images,
    kmeans_operations,
    scheduled,
)
from iic.params.datasets import Dataset, find_dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.method import MethodSettings
from iic.params.modules import method_name
from iic.params.networks import NetworkSettings
from iic.params.operations import NetworkPass, committed
from iic.params.runs import load_plan, scale_names
from iic.params.training import ComputeSettings, ScheduleSettings


def mnist(**splits: int) -> Dataset:
    return find_dataset("mnist").model_copy(update={"splits": splits} if splits else {})


def cost(steps: int = 1500, **schedule: object) -> Cost:
    """Of epochs of 60 operations; a prediction takes 7, and what follows the last epoch 5."""
    settings = ScheduleSettings.model_validate({"epochs": 10} | schedule)
    return scheduled(settings, ComputeSettings(), steps, 60.0, predicting=7.0, finishing=5.0)


def test_epochs_and_steps() -> None:
    assert cost() == Cost(training=600, evaluation=12 * 7 + 5, steps=15_000, precision="float32")
    assert cost(epochs=20).training == 2 * cost().training
    half = cost(max_steps=7_500)
    assert (half.steps, half.training) == (7_500, 300)
    untrained = cost(0, epochs=0)
    assert (untrained.steps, untrained.training, untrained.evaluation) == (0, 0, 2 * 7 + 5)


def test_evaluations_and_snapshots() -> None:
    assert cost(double_evaluation=True).evaluation - cost().evaluation == 11 * 7
    snapshots = cost(snapshot_steps=(0, 100, 15_000, 15_001))
    assert snapshots.evaluation - cost().evaluation == 3 * 7
    # at epochs 0, 4, 8 and 10
    assert cost().evaluation - cost(evaluate_every=4).evaluation == 7 * 7


@pytest.mark.parametrize(
    ("mapping", "test", "images"),
    [
        ((), (), 8),
        (("train",), ("test",), 8),
        (("test",), ("test",), 3),
        ((), ("unlabeled",), 8),
        (("unlabeled",), ("unlabeled",), 0),
    ],
)
def test_images_that_get_assignments(
    mapping: tuple[str, ...], test: tuple[str, ...], images: int
) -> None:
    settings = EvaluationSettings(mapping=mapping, test=test)
    assert evaluated_images(settings, mnist(train=5, unlabeled=100, test=3)) == images


def test_kmeans_by_hand() -> None:
    # 6 points of 2 numbers, 3 centres: 36 differences squared and added
    assert kmeans_operations(6, 2, 3) == 72
    assert kmeans_operations(6, 2, 3, restarts=10, iterations=300) == 3000 * 72


def test_hours_follow_from_the_stated_rates() -> None:
    hour = 3600.0
    assert Cost(GPU_RATES["bfloat16"] * hour, precision="bfloat16").hours(gpu=True) == 1
    assert Cost(0, CORE_RATES["float32"] * hour).hours(gpu=False) == 1
    assert Cost(clustering=CLUSTERING_RATE * hour).hours(gpu=False) == 1


@pytest.mark.parametrize(("precision", "pairs"), [("bfloat16", 640), ("float32", 310)])
def test_the_rate_of_a_core_is_what_was_measured(precision: str, pairs: float) -> None:
    """Design, section 7: pairs a second on two cores; each image once for its five transforms."""
    network = NetworkSettings(
        family="B", input_size=24, in_channels=1, batchnorm_running_statistics=False
    )
    heads = {"heads": {"B": 10}, "sub_heads": 5}
    image = committed(NetworkPass("iic.networks.build.build", network, heads)).training
    assert CORE_RATES[precision] == pytest.approx(pairs * (1 + 1 / 5) * image / 2, rel=0.01)


@pytest.mark.parametrize(
    ("run", "scale", "minutes"),
    [
        ("mnist/kmeans", "laptop", 3.9),
        ("mnist/spectral", "laptop", 4.8),
        ("cifar10_test/kmeans", "laptop_cifar10", 0.74),
    ],
)
def test_the_rate_of_clustering_is_near_what_receipts_say(
    run: str, scale: str, minutes: float
) -> None:
    """Minutes of a core, two times what results/ has of two."""
    whole = load_plan(scale).run(run)
    found = whole.settings.cost(load_plan(scale).datasets[whole.dataset], committed)
    assert found is not None
    assert 0.4 < found.hours(gpu=False) * 60 / minutes < 2.5


CLUSTERING_WHILE_TRAINED = {"jule"}
"""Methods whose clustering costs time of its own beside their training."""


def test_every_run_of_every_scale_tells_its_cost() -> None:
    for scale in scale_names():
        whole = load_plan(scale)
        for run in whole.runs.values():
            found = run.settings.cost(whole.datasets[run.dataset], committed)
            assert found is not None, run.id
            trains = hasattr(run.settings, "compute")
            clusters = not trains or method_name(run.method) in CLUSTERING_WHILE_TRAINED
            assert (found.evaluation > 0, found.clustering > 0) == (trains, clusters), run.id
    assert MethodSettings().cost(mnist(), committed) is None
