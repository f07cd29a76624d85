"""Settings of Triplets and DeepCluster: what is refused, and what the tables hold."""

from __future__ import annotations

from typing import Any

import pytest

from iic.methods.deepcluster import method as deepcluster
from iic.methods.finetune import method as finetune
from iic.methods.iic import method as iic
from iic.methods.triplets import method as triplets
from iic.params.datasets import find_dataset
from iic.params.errors import SettingsError
from iic.params.loading import validate
from iic.params.method import MethodSettings
from iic.params.resolve import merged
from iic.params.runs import Plan, load_plan

MNIST = find_dataset("mnist")
DATASETS = ("stl10", "cifar10", "cifar100_20", "mnist")
SHARED: dict[str, Any] = {
    "network": {"family": "B", "input_size": 24, "in_channels": 1},
    "augmentation": {"kind": "grey"},
    "k": 10,
    "schedule": {"epochs": 4},
}
SPECIAL: dict[type[MethodSettings], dict[str, Any]] = {
    triplets.Settings: {"outputs": 50},
    deepcluster.Settings: {"clusters": 100},
}


def settings(model: type[MethodSettings], **changes: Any) -> MethodSettings:
    return validate(model, merged(SHARED | SPECIAL[model], changes), "tests", "settings")


@pytest.fixture(scope="module")
def paper() -> Plan:
    return load_plan("paper")


@pytest.mark.parametrize("model", SPECIAL)
@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"k": 9}, "k", "9 clusters for 10 classes and 70000 evaluated images"),
        ({"splits": ["test"], "batch_images": 10_001}, "batch_images", "10000 to train on"),
        ({"splits": ["unlabeled"]}, "splits", "no split 'unlabeled'"),
        ({"schedule": {"snapshot_steps": [0]}}, "schedule.snapshot_steps", "no probabilities"),
        ({"network": {"in_channels": 2}}, "network.in_channels", "2 channels"),
        ({"augmentation": {"crop": 29}}, "augmentation.crop", "does not fit into images"),
    ],
)
def test_what_does_not_fit_either_is_refused(
    model: type[MethodSettings], changes: dict[str, Any], key: str, says: str
) -> None:
    problems = {one.key: one.message for one in settings(model, **changes).problems(MNIST)}
    assert list(problems) == [key] and says in problems[key]


@pytest.mark.parametrize(
    ("model", "changes", "key", "says"),
    [
        (triplets.Settings, {"outputs": 9}, "outputs", "9 outputs for 10 clusters"),
        (deepcluster.Settings, {"clusters": 70_001}, "clusters",
         "70001 clusters, but there are 70000 images to train on"),
        (deepcluster.Settings, {"splits": ["test"], "clusters": 10_001}, "clusters", "10000"),
        (deepcluster.Settings, {"features": 200}, "components", "256 principal directions of 200"),
    ],
)  # fmt: skip
def test_what_does_not_fit_one_is_refused(
    model: type[MethodSettings], changes: dict[str, Any], key: str, says: str
) -> None:
    problems = {one.key: one.message for one in settings(model, **changes).problems(MNIST)}
    assert list(problems) == [key] and says in problems[key]


@pytest.mark.parametrize("model", SPECIAL)
def test_what_fits_is_not(model: type[MethodSettings]) -> None:
    for changes in ({}, {"k": 30}, {"splits": ["test"]}):
        assert not list(settings(model, **changes).problems(MNIST))


@pytest.mark.parametrize(
    ("model", "changes", "says"),
    [
        (triplets.Settings, {"margin": 0.0}, "margin"),
        (triplets.Settings, {"order": "sorted"}, "order"),
        (triplets.Settings, {"clusters": 5}, "clusters"),
        (deepcluster.Settings, {"optimiser": {"beta1": 0.9}}, "optimiser"),
        (deepcluster.Settings, {"evaluate_on": "raw"}, "evaluate_on"),
    ],
)
def test_values_that_no_method_takes(
    model: type[MethodSettings], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        settings(model, **changes)


@pytest.mark.parametrize("dataset", DATASETS)
def test_triplets_see_what_head_a_of_iic_sees(paper: Plan, dataset: str) -> None:
    mine, theirs = (paper.run(f"{dataset}/{name}").settings for name in ("triplets", "iic"))
    assert isinstance(mine, triplets.Settings) and isinstance(theirs, iic.Settings)
    assert (mine.network, mine.augmentation) == (theirs.network, theirs.augmentation)
    assert (mine.k, mine.outputs) == (theirs.head_b.k, theirs.head_a.k)
    assert mine.splits == theirs.head_a.splits and mine.order == theirs.pairs.order
    assert mine.batch_images == theirs.pairs.batch_pairs == mine.schedule.evaluation_batch
    assert mine.evaluation == theirs.evaluation
    assert (mine.margin, mine.optimiser) == (None, theirs.optimiser)
    corrected = paper.run(f"{dataset}/triplets-corrected").settings_json
    assert corrected == paper.run(f"{dataset}/triplets").settings_json | {"margin": 5.0}


@pytest.mark.parametrize("dataset", DATASETS)
def test_deepcluster_is_the_official_one_on_iics_network(paper: Plan, dataset: str) -> None:
    mine, theirs = (paper.run(f"{dataset}/{name}").settings for name in ("deepcluster", "iic"))
    assert isinstance(mine, deepcluster.Settings) and isinstance(theirs, iic.Settings)
    assert (mine.network, mine.augmentation) == (theirs.network, theirs.augmentation)
    assert (mine.k, mine.clusters) == (theirs.head_b.k, 10 * theirs.head_b.k)
    assert (mine.features, mine.components) == (4096, 256)
    assert (mine.batch_images, mine.schedule.epochs) == (256, 200)
    assert (mine.pseudo_restarts, mine.pseudo_iterations) == (1, 20)
    assert mine.optimiser.model_dump() == {
        "learning_rate": 0.05,
        "momentum": 0.9,
        "weight_decay": 1e-5,
    }
    assert mine.splits == theirs.head_a.splits and mine.evaluation == theirs.evaluation


def test_deepcluster_is_finetuned_as_iic(paper: Plan) -> None:
    mine = paper.run("stl10/finetune-deepcluster").settings
    theirs = paper.run("stl10/finetune").settings
    assert isinstance(mine, finetune.Settings)
    assert mine.base == "deepcluster-features"
    assert mine.model_dump() == theirs.model_dump() | {"start_from": "deepcluster-features"}
    features = paper.run("stl10/deepcluster-features").settings_json
    table_1 = paper.run("stl10/deepcluster").settings_json
    changed = {key for key, value in features.items() if table_1[key] != value}
    assert changed == {"splits", "evaluation"}
    assert features["splits"] == ["train", "unlabeled"]
    assert (features["evaluation"]["mapping"], features["evaluation"]["test"]) == (
        ["train"],
        ["test"],
    )
