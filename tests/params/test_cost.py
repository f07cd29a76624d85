"""Multiplications counted from settings alone, against the networks themselves and docs/spec."""

from __future__ import annotations

import pytest

from iic.networks.build import build, build_trunk
from iic.networks.describe import describe
from iic.params.cost import (
    GPU_RATES,
    MEASURED_CORES,
    MEASURED_NETWORK,
    MEASURED_PAIRS,
    Cost,
    clustering_cost,
    core_rate,
    evaluated_images,
    feature_count,
    trunk_macs,
)
from iic.params.datasets import Dataset, find_dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.method import MethodSettings
from iic.params.networks import NetworkSettings
from iic.params.runs import plan, scale_names
from iic.params.training import ComputeSettings, HeadSettings, PairSettings, ScheduleSettings

NETWORKS = {
    "A, CIFAR": NetworkSettings(family="A", input_size=32, in_channels=2),
    "A, STL10": NetworkSettings(family="A", input_size=64, in_channels=2),
    "A, odd maps": NetworkSettings(family="A", input_size=21, in_channels=5),
    "A, small": NetworkSettings(
        family="A", input_size=8, in_channels=1, channels=(4, 4, 8), blocks=(1, 2, 3)
    ),
    "A, narrow": NetworkSettings(family="A", input_size=16, in_channels=2, width=0.125),
    "B, MNIST": NetworkSettings(family="B", input_size=24, in_channels=1),
    "B, RGB and Sobel": NetworkSettings(family="B", input_size=24, in_channels=5),
    "B, digits": NetworkSettings(family="B", input_size=12, in_channels=1, channels=(24, 48, 96)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_count_is_that_of_the_network_itself(name: str) -> None:
    network = NETWORKS[name]
    trunk = build_trunk(network)
    shape = (network.in_channels, network.input_size, network.input_size)
    assert trunk_macs(network) == sum(row.macs for row in describe(trunk, shape))
    assert feature_count(network) == trunk.out_features
    if network.family == "A":
        assert feature_count(network, last_stage=False) == trunk.penultimate_features
        rows = describe(trunk, shape)
        last = sum(
            row.macs for row in rows if row.name.startswith(f"stages.{len(trunk.stages) - 1}.")
        )
        assert trunk_macs(network, last_stage=False) == trunk_macs(network) - last


@pytest.mark.parametrize(
    ("name", "millions"), [("A, CIFAR", 443.7), ("A, STL10", 1_447.3), ("B, MNIST", 89.4)]
)
def test_the_papers_networks(name: str, millions: float) -> None:
    """As docs/spec/images.md#networks has them."""
    assert trunk_macs(NETWORKS[name]) / 1e6 == pytest.approx(millions, abs=0.05)


def mnist(**splits: int) -> Dataset:
    return find_dataset("mnist").model_copy(update={"splits": splits} if splits else {})


def cost(dataset: Dataset, **changes: object) -> Cost:
    settings: dict[str, object] = {
        "network": MEASURED_NETWORK,
        "heads": {"B": HeadSettings(k=10)},
        "passes": ["B"] * 3,
        "sub_heads": 5,
        "pairs": PairSettings(),
        "evaluation": EvaluationSettings(),
        "schedule": ScheduleSettings(epochs=10),
        "compute": ComputeSettings(),
    }
    return clustering_cost(dataset, **(settings | changes))  # type: ignore[arg-type]


def test_mnist_by_hand() -> None:
    """Model 685: 3 passes of 500 steps an epoch; each image as it is and 5 times transformed."""
    head = 4608 * 5 * 10
    one = cost(mnist())
    assert one.steps == 10 * 3 * 500
    assert one.training == 10 * 3 * 70_000 * 6 * (89_395_200 + head) * 6
    # eleven evaluations, the last prediction, and the sub-heads compared at two checkpoints
    assert one.evaluation == (12 * 70_000 + 2 * 70_000 * 6) * (89_395_200 + head) * 2
    heads = build(MEASURED_NETWORK, {"B": 10}, 5).heads["B"]
    assert head == sum(one.numel() for one in heads.parameters() if one.ndim == 2)


def test_the_spec_says_the_same_of_a_step() -> None:
    """Section 7.3: 0.75 TFLOP for MNIST, which counts the originals r times."""
    one = cost(mnist())
    unique = (1 + 1 / 5) / 2
    assert one.training / one.steps / unique == pytest.approx(0.75e12, rel=0.01)


def test_epochs_evaluations_and_steps() -> None:
    whole = cost(mnist())
    assert cost(mnist(), schedule=ScheduleSettings(epochs=20)).training == 2 * whole.training
    half = cost(mnist(), schedule=ScheduleSettings(epochs=10, max_steps=7_500))
    assert (half.steps, half.training) == (7_500, whole.training / 2)
    untrained = cost(mnist(), passes=[], schedule=ScheduleSettings(epochs=0))
    assert (untrained.steps, untrained.training) == (0, 0)
    assert untrained.evaluation > 0

    def evaluation(**schedule: object) -> float:
        return cost(mnist(), schedule=ScheduleSettings(epochs=10, **schedule)).evaluation  # type: ignore[arg-type]

    one = 70_000 * 2 * (89_395_200 + 4608 * 50)
    assert evaluation(double_evaluation=True) - whole.evaluation == 11 * one
    assert evaluation(snapshot_steps=(0, 100, 15_000, 15_001)) - whole.evaluation == 3 * one
    # at epochs 0, 4, 8 and 10
    assert whole.evaluation - evaluation(evaluate_every=4) == 7 * one


def test_each_head_counts_with_its_own_images() -> None:
    heads = {
        "A": HeadSettings(k=70, splits=("train", "unlabeled")),
        "B": HeadSettings(k=10, splits=("train",)),
    }
    dataset = mnist(train=700, unlabeled=7_000, test=70)
    both = cost(dataset, heads=heads, passes=["A", "B"], schedule=ScheduleSettings(epochs=1))
    assert both.steps == 55 + 5
    features = 4608 * 5
    assert both.training == 36 * (
        7_700 * (89_395_200 + features * 70) + 700 * (89_395_200 + features * 10)
    )


@pytest.mark.parametrize(
    ("mapping", "test", "images"),
    [((), (), 8), (("train",), ("test",), 8), (("test",), ("test",), 3), ((), ("unlabeled",), 8),
     (("unlabeled",), ("unlabeled",), 0)],
)  # fmt: skip
def test_images_that_get_assignments(
    mapping: tuple[str, ...], test: tuple[str, ...], images: int
) -> None:
    settings = EvaluationSettings(mapping=mapping, test=test)
    assert evaluated_images(settings, mnist(train=5, unlabeled=100, test=3)) == images


def test_hours_follow_from_the_stated_rates() -> None:
    seconds = 3600.0
    gpu = Cost(GPU_RATES["bfloat16"] * seconds, 0, 1, "bfloat16")
    assert gpu.hours(gpu=True) == 1
    assert gpu.hours(gpu=False) > 100
    # by construction: the run that was measured takes as long as it took
    for precision, pairs in MEASURED_PAIRS.items():
        one = cost(mnist(), sub_heads=1, compute=ComputeSettings(precision=precision))  # type: ignore[arg-type]
        without_head = one.training * 89_395_200 / (89_395_200 + 4608 * 10)
        measured = 10 * 3 * 70_000 * 5 / pairs
        assert without_head / core_rate(precision) / MEASURED_CORES == pytest.approx(measured)


def test_every_run_of_every_scale_tells_its_cost_unless_it_has_no_network() -> None:
    for scale in scale_names():
        whole = plan(scale)
        for run in whole.runs.values():
            found = run.settings.cost(whole.datasets[run.dataset])
            trains = any(hasattr(run.settings, one) for one in ("network", "autoencoder"))
            assert (found is None) == (not trains), run.id
            assert found is None or found.evaluation > 0
    assert MethodSettings().cost(mnist()) is None
