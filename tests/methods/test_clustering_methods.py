"""DAC, ADC and JULE in the loop: resumable, from images alone, at the cost that is told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iic.engine.task import Task
from iic.methods.adc.task import ADCTask
from iic.methods.dac.task import AllSamplesTask, DACTask
from iic.methods.jule.task import JULETask
from iic.params.datasets import find_dataset
from iic.params.errors import SettingsError
from iic.params.loading import validate
from iic.params.resolve import merged
from tests.methods.clustering_helpers import NAMES, SETTINGS, context, module, train
from tests.methods.iic.test_methods import assert_same
from tests.methods.resuming import (
    assert_resumed_after_sigterm,
    assert_resumed_between_epochs,
)
from tests.methods.test_cost import counted, of_layers

TASKS: dict[str, type[Task[Any]]] = {
    "dac": DACTask, "dac-all_samples": AllSamplesTask, "adc": ADCTask, "jule": JULETask,
}  # fmt: skip
EPOCHS = {"dac": (3, 15), "dac-all_samples": (6, 36), "adc": (3, 15)}
"""Epochs of the loop and steps; JULE's follow from how many clusters there are."""


@pytest.mark.parametrize("name", NAMES)
def test_the_outcome_is_what_the_command_line_writes(tmp_path: Path, name: str) -> None:
    outcome = train(tmp_path, name)
    assert outcome.k == 10 and outcome.deterministic
    assert (outcome.last.epoch, outcome.steps) == EPOCHS.get(
        name, (outcome.last.epoch, 5 * outcome.last.epoch)
    )
    for checkpoint in (outcome.last, outcome.best_label):
        assert checkpoint is not None and checkpoint.losses is None
        assert checkpoint.clusters.shape == (300, 1) and checkpoint.clusters.dtype == np.uint8
    if name == "jule":
        assert outcome.probabilities is None and set(outcome.last.clusters[:, 0]) == set(range(10))
    else:
        assert outcome.probabilities is not None
        found = outcome.probabilities
        np.testing.assert_allclose(found.sum(axis=2), 1, atol=5e-3)
        chosen = np.take_along_axis(found, outcome.last.clusters[..., None].astype(np.int64), 2)
        assert (chosen[..., 0] == found.max(axis=2)).all()
    # weights, and nothing of single images
    assert outcome.tensors and all(
        300 not in value.shape and "stopped" not in key for key, value in outcome.tensors.items()
    )
    assert [entry["epoch"] for entry in outcome.history] == list(range(outcome.last.epoch + 1))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, name: str) -> None:
    first = train(tmp_path / "a", name, seed=3)
    assert_same(first, train(tmp_path / "b", name, seed=3))
    other = train(tmp_path / "c", name, seed=4)
    losses = [[entry["loss"] for entry in one.history] for one in (first, other)]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_training_is_the_same(tmp_path: Path, name: str) -> None:
    labelled = train(tmp_path / "a", name)
    unlabelled = train(tmp_path / "b", name, labelled=False)
    assert_same(labelled, unlabelled)
    assert unlabelled.best_label is None and labelled.best_label is not None


# an epoch has 5 steps, a chunk 6: in the first, at an epoch's end, inside one
@pytest.mark.parametrize("after", [1, 5, 6, 8])
@pytest.mark.parametrize("name", NAMES)
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, name: str, after: int
) -> None:
    assert_resumed_after_sigterm(partial(train, name=name), TASKS[name], after, tmp_path)


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("name", ["dac", "dac-all_samples", "jule"])
def test_killed_between_epochs_gives_the_same_bytes(tmp_path: Path, name: str, at: str) -> None:
    assert_resumed_between_epochs(partial(train, name=name), TASKS[name], at, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_estimated_cost_is_what_is_computed(tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {"splits": {"train": 200, "test": 100}}
    changes |= {"evaluation": {"mapping": ["test"], "test": ["test"]}}
    changes |= {"schedule": {"epochs": 2, "evaluate_every": 2}}
    if name == "dac-all_samples":
        changes["all_samples"] = {"chunk_images": 100}
    run = context(tmp_path, name, **changes)
    dataset = find_dataset("digits").model_copy(update={"splits": changes["splits"]})
    with counted() as macs:
        outcome = module(name).train(run)
    found = run.settings.cost(dataset, of_layers)
    training = macs[True]
    if name == "adc":
        # the centroids, which no estimate counts: 40 of 16 numbers, to 10 clusters
        training -= outcome.steps * 40 * 16 * 10
    # the pixels' layer needs no gradient of its inputs, and is counted as if it did
    assert (found.steps, found.training) == (outcome.steps, 6 * training)
    assert found.evaluation == 2 * macs[False]


@pytest.mark.parametrize(
    ("name", "changes", "key", "says"),
    [
        ("dac", {"schedule": {"epochs": 47}}, "thresholds",
         "they cross before the end: in epoch 47 of 47 a pair is alike from 0.4946 on and unlike "
         "below 0.5005"),
        ("dac", {"thresholds": {"lower": 0.96}}, "thresholds", "in epoch 1 of 3"),
        ("dac", {"k": 9}, "k", "9 clusters for 10 classes"),
        ("dac", {"batch_images": 1798}, "batch_images", "there are 1797 to train on"),
        ("dac", {"splits": ["trian"]}, "splits", "has no split 'trian'"),
        ("dac", {"classifier": {"input_size": 12}}, "classifier.input_size",
         "the transforms give 14"),
        ("dac", {"augmentation": {"crop": 29}}, "augmentation.crop", "does not fit into images"),
        ("dac", {"augmentation": {"image_channels": 3}}, "augmentation.kind", "take 3 channels"),
        ("dac-all_samples", {"all_samples": {"chunk_images": 1798}}, "all_samples.chunk_images",
         "1798 images a chunk, with 60 a batch and 1797 to train on"),
        ("dac-all_samples", {"all_samples": {"chunk_images": 59}}, "all_samples.chunk_images",
         "59 images a chunk"),
        ("adc", {"embedder": {"in_channels": 3}}, "embedder.in_channels", "the transforms give 1"),
        ("jule", {"graph": {"neighbours": 1797}}, "graph.neighbours",
         "1797 neighbours of each of 1797 images"),
        ("jule", {"schedule": {"snapshot_steps": [0]}}, "schedule.snapshot_steps",
         "no probabilities"),
        ("jule", {"k": 899}, "k", "at most 898 clusters before the first merging"),
        ("jule", {"encoder": {"input_size": 16}}, "encoder.input_size",
         "16 pixels, but the images of"),
        ("jule", {"encoder": {"in_channels": 3}}, "encoder.in_channels", "have 1"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(name: str, changes: dict[str, Any], key: str, says: str) -> None:
    settings = validate(module(name).Settings, merged(SETTINGS[name], changes), "t", "settings")
    problems = {problem.key: problem for problem in settings.problems(find_dataset("digits"))}
    assert key in problems and says in problems[key].message
    assert problems[key].allowed


@pytest.mark.parametrize(
    ("name", "network", "side", "says"),
    [
        ("dac", "classifier", 9, "nothing is left of 9 pixels after block 2"),
        ("adc", "embedder", 3, "nothing is left of 3 pixels after 2 halvings"),
        ("jule", "encoder", 12, "nothing is left of 12 pixels after 2 convolutions"),
    ],
)
def test_an_input_too_small_for_the_network_is_refused(
    name: str, network: str, side: int, says: str
) -> None:
    settings = merged(SETTINGS[name], {network: {"input_size": side}})
    with pytest.raises(SettingsError, match=says):
        validate(module(name).Settings, settings, "t", "settings")
    # one pixel more fits
    settings = merged(settings, {network: {"input_size": side + 1}})
    validate(module(name).Settings, settings, "t", "settings")
