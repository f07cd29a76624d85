"""Methods whose features k-means clusters: they learn from images; killed, they go on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.engine.context import Outcome
from iic.engine.feature_task import FeatureTask
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.deepcluster.task import DeepClusterTask
from iic.methods.finetune import method as finetune
from iic.methods.gan.task import GANTask
from iic.methods.triplets.task import TripletTask
from iic.methods.what_where.task import WhatWhereTask
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.params.operations import NetworkPass
from iic.records.paths import RunPaths
from tests.methods.autoencoders.autoencoder_helpers import digits
from tests.methods.autoencoders.test_methods import CHANCE
from tests.methods.feature_helpers import NAMES, context, module, train
from tests.methods.finetune import test_method as classifiers
from tests.methods.iic.test_methods import assert_same
from tests.methods.resuming import (
    assert_resumed_after_sigterm,
    assert_resumed_between_epochs,
)
from tests.methods.test_cost import counted, of_layers

TASKS: dict[str, type[FeatureTask[Any]]] = {
    "triplets": TripletTask,
    "deepcluster": DeepClusterTask,
    "what_where": WhatWhereTask,
    "gan": GANTask,
}
LEARNING: dict[str, Any] = {
    "number": 1797,
    "network": {"channels": [16, 32]},
    "schedule": {"epochs": 8, "evaluate_every": 8, "evaluation_batch": 500},
}
SHORTER: dict[str, Any] = LEARNING | {"schedule": LEARNING["schedule"] | {"epochs": 5}}
SEEDS = (0, 1, 2)


def accuracies(outcome: Outcome) -> list[float]:
    """Accuracy of each evaluation."""
    return [float(entry["accuracy"][0]) for entry in outcome.history if entry["accuracy"]]  # type: ignore[index]


def losses(outcome: Outcome) -> list[float]:
    """Loss of each epoch."""
    return [float(entry["loss"][0]) for entry in outcome.history[1:]]  # type: ignore[index]


def test_deepcluster_learns(tmp_path: Path) -> None:
    """Each seed 50 points above chance; together 5 above the untrained network's own features."""
    gains = []
    for seed in SEEDS:
        outcome = train(tmp_path / str(seed), "deepcluster", seed=seed, **LEARNING)
        before, after = accuracies(outcome)
        assert after > CHANCE + 50
        assert losses(outcome)[-1] < np.log(30) - 1 < losses(outcome)[0]
        gains.append(after - before)
    assert np.mean(gains) > 5


def test_triplets_lose_less_with_a_margin(tmp_path: Path) -> None:
    """As published the loss falls for ever; a margin is worth 5 points on average.

    Neither says that the training is worth anything: the untrained network's features are as good
    (docs/baselines.md).
    """
    means = {}
    for margin in (None, 5.0):
        outcomes = [
            train(tmp_path / f"{margin}{seed}", "triplets", seed=seed, margin=margin, **SHORTER)
            for seed in SEEDS
        ]
        assert all(
            accuracies(trained)[-1] > CHANCE + (20 if margin is None else 40)
            for trained in outcomes
        )
        for outcome in outcomes:
            assert losses(outcome) == sorted(losses(outcome), reverse=True) or margin is not None
            assert (min(losses(outcome)) < 0) == (margin is None)
        means[margin] = np.mean([accuracies(trained)[-1] for trained in outcomes])
    assert means[5.0] > means[None] + 5


@pytest.mark.parametrize("name", NAMES)
def test_the_outcome_is_what_the_command_line_writes(tmp_path: Path, name: str) -> None:
    outcome = train(tmp_path, name)
    turns = 2 if name == "gan" else 1
    assert (outcome.k, outcome.last.epoch, outcome.steps) == (10, 3, 3 * 5 * turns)
    for checkpoint in (outcome.last, outcome.best_label):
        assert checkpoint is not None and checkpoint.losses is not None
        assert checkpoint.clusters.shape == (300, 1) and checkpoint.clusters.dtype == np.uint8
        assert set(checkpoint.clusters[:, 0]) == set(range(10))
        assert len(checkpoint.losses) == 1 and checkpoint.losses[0] > 0
    assert outcome.probabilities is None and outcome.deterministic
    network = TASKS[name](context(tmp_path, name), torch.device("cpu")).build()
    for kind in ("last", "best_label"):
        weights = {
            key.removeprefix(f"{kind}."): torch.from_numpy(value)
            for key, value in (outcome.tensors or {}).items()
            if key.startswith(f"{kind}.")
        }
        network.load_state_dict(weights)
    assert [entry["epoch"] for entry in outcome.history] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, name: str) -> None:
    first = train(tmp_path / "a", name, seed=3)
    assert_same(first, train(tmp_path / "b", name, seed=3))
    assert losses(first) != losses(train(tmp_path / "c", name, seed=4))


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_training_is_the_same(tmp_path: Path, name: str) -> None:
    labelled = train(tmp_path / "a", name)
    unlabelled = train(tmp_path / "b", name, labelled=False)
    assert_same(labelled, unlabelled)
    assert unlabelled.best_label is None and labelled.best_label is not None


# an epoch has 5 steps (GAN: 10): in the first, at an epoch's end, inside one, in the very last
@pytest.mark.parametrize(
    ("name", "after"), [(name, after) for name in NAMES for after in (1, 5, 8, 15)] + [("gan", 30)]
)
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, name: str, after: int
) -> None:
    assert_resumed_after_sigterm(partial(train, name=name), TASKS[name], after, tmp_path)


@pytest.mark.parametrize("at", ["before", "after"])
def test_killed_between_epochs_gives_the_same_bytes(tmp_path: Path, at: str) -> None:
    """What begins an epoch are the pseudo-labels."""
    assert_resumed_between_epochs(partial(train, name="deepcluster"), DeepClusterTask, at, tmp_path)


def test_as_many_outputs_as_clusters_are_the_clusters(tmp_path: Path) -> None:
    outcome = train(tmp_path, "triplets", outputs=10)
    assert outcome.last.losses is None and outcome.best_label is not None
    run = context(tmp_path, "triplets", outputs=10)
    task = TripletTask(run, torch.device("cpu"))
    weights = {
        key.removeprefix("last."): torch.from_numpy(value)
        for key, value in (outcome.tensors or {}).items()
        if key.startswith("last.")
    }
    task.network.load_state_dict(weights)
    np.testing.assert_array_equal(outcome.last.clusters[:, 0], task.points().argmax(axis=1))


@pytest.mark.parametrize("name", ["triplets", "deepcluster"])
def test_the_estimated_cost_is_what_is_computed(tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {"splits": {"train": 200, "test": 100}}
    changes |= {"evaluation": {"mapping": ["test"], "test": ["test"]}}
    changes |= {"schedule": {"epochs": 3, "evaluate_every": 2}}
    if name == "deepcluster":
        changes["directions_images"] = 150
    run = context(tmp_path, name, **changes)
    dataset = find_dataset("digits").model_copy(update={"splits": changes["splits"]})
    with counted() as macs:
        outcome = module(name).train(run)
    cost = run.settings.cost(dataset, of_layers)
    assert (cost.steps, cost.training) == (outcome.steps, 6 * macs[True])
    done = 2 * macs[False]
    if outcome.best_label.epoch == outcome.last.epoch:
        # the features of one epoch in place of the last and the best epoch's
        outputs, images = (32, 100 + 100) if name == "deepcluster" else (20, 100)
        representation = "iic.methods.triplets.network.Representation"
        way = NetworkPass(representation, run.settings.network, {"outputs": outputs})
        done += of_layers(way).forward * images
    assert cost.evaluation == done


def test_labels_choose_an_epoch_and_nothing_else(tmp_path: Path) -> None:
    outcome = train(tmp_path, "deepcluster", schedule={"epochs": 5})
    assert outcome.best_label is not None
    _, labels = (values[:300] for values in digits())
    (score,) = accuracy_per_sub_head(outcome.best_label.clusters, labels, 10, 10)
    assert score == pytest.approx(max(accuracies(outcome)), abs=1e-3)


def features_for_finetuning(folder: Path, **network: Any) -> dict[str, np.ndarray]:
    """A DeepCluster run of the stripes whose weights lie where a finetuning looks for them."""
    from safetensors.numpy import save_file

    from iic.methods.deepcluster import method as deepcluster

    # in a folder of its own, lest the finetuning find its checkpoint
    run = classifiers.run(
        folder / "base",
        model=deepcluster.Settings,
        settings={
            "network": classifiers.NETWORK | network,
            "augmentation": classifiers.AUGMENTATION,
            "k": 3, "clusters": 9, "features": 16, "components": 8, "batch_images": 30,
            "splits": ["train"], "schedule": {"epochs": 1},
            "evaluation": {"mapping": ["train"], "test": ["test"]},
        },
    )  # fmt: skip
    tensors = deepcluster.train(run).tensors
    assert tensors is not None
    path = folder / RunPaths("test", "bars/deepcluster", 0).weights
    path.parent.mkdir(parents=True)
    save_file(tensors, path)
    return tensors


def test_its_trunk_is_finetuned(tmp_path: Path) -> None:
    theirs = features_for_finetuning(tmp_path)
    run = classifiers.run(tmp_path, start_from="deepcluster", schedule={"epochs": 0})
    mine = finetune.train(run).tensors
    names = [name for name in theirs if name.startswith("best_label.trunk.")]
    assert mine and names
    for name in names:
        other = mine["last." + name.removeprefix("best_label.")]
        np.testing.assert_array_equal(other, theirs[name])


def test_features_of_another_network_are_refused_before_training(tmp_path: Path) -> None:
    features_for_finetuning(tmp_path, channels=[4, 8, 16])
    with pytest.raises(IICError, match=r"(?s)weights of another network: trunk\.stages\.2.*remedy"):
        finetune.train(classifiers.run(tmp_path, start_from="deepcluster"))
