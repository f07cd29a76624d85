"""A support vector machine on ADC's embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from iic.engine.context import Outcome, RunContext
from iic.methods.adc import machine, method
from iic.methods.adc.network import ADCNetwork
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.files import RecordError
from tests.methods.labelled_runs import CLASSES, SPLITS, TEST, labels, pictures, run, score, stored
from tests.methods.test_cost import counted, of_layers

SHARED: dict[str, Any] = {
    "embedder": {"input_size": 16, "in_channels": 3, "widths": [8, 16], "embedding": 16},
    "augmentation": {"kind": "warp", "image_channels": 3, "crop": 16, "input_size": 16},
}
BASE = SHARED | {
    "k": 10, "splits": ["train", "test"], "batch_images": 100, "evaluation": {"test": ["test"]},
    "schedule": {"epochs": 3, "evaluate_every": 3}, "optimiser": {"learning_rate": 4e-3},
}  # fmt: skip
SETTINGS = SHARED | {"evaluation": CLASSES, "evaluation_batch": 100}


def context(folder: Path, *, labelled: bool = True, **changes: Any) -> RunContext[Any]:
    return run(folder, machine, "adc_machine", merged(SETTINGS, changes), labelled=labelled)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The run whose embeddings are classified, and where it lies."""
    folder = tmp_path_factory.mktemp("adc")
    return folder, stored(run(folder, method, "adc", BASE), method)


def test_it_is_scikit_learns_machine_on_the_stored_embeddings(base: tuple[Path, Outcome]) -> None:
    """It learns the classes, 45 points above chance (10 %); measured: 65.5 %."""
    folder, embedded = base
    outcome = machine.train(context(folder, machine={"gamma": "scale"}))
    network = ADCNetwork(validate(machine.Settings, SETTINGS, "", "").embedder, 10)
    weights = {
        name.removeprefix("last."): torch.from_numpy(np.array(value))
        for name, value in (embedded.tensors or {}).items()
        if name.startswith("last.")
    }
    network.load_state_dict(weights)
    network.eval()
    with torch.no_grad():
        points = network.embedder(torch.from_numpy(pictures()).float() / 255).numpy()
    expected = SVC().fit(points[:200], labels()[:200]).predict(points[TEST])
    assert (outcome.last.clusters[:, 0] == expected).mean() > 0.995  # rounding of batches
    assert score(outcome) > 55
    assert outcome.steps == 0 and outcome.tensors == {} and outcome.probabilities is None
    assert outcome.best_label is not None and outcome.best_label.epoch == outcome.last.epoch == 0


def test_a_fold_is_learnt_alone(base: tuple[Path, Outcome]) -> None:
    found = [machine.train(context(base[0], fold=fold)).last.clusters for fold in (0, 1)]
    assert (found[0] != found[1]).any()


def test_labels_folds_and_weights_that_are_not_there_are_refused(
    tmp_path: Path, base: tuple[Path, Outcome]
) -> None:
    with pytest.raises(RecordError, match=r"adc/seed0/weights\.safetensors: missing"):
        machine.train(context(tmp_path))
    with pytest.raises(IICError, match="some of its 200 training images have none"):
        machine.train(context(tmp_path, labelled=False))
    with pytest.raises(IICError, match="fold: 2, but in_memory has 2 predefined folds"):
        machine.train(context(tmp_path, fold=2))
    with pytest.raises(IICError, match=r"(?s)embedder\.0\.bias is \(8.*remedy"):
        machine.train(context(base[0], embedder={"widths": [4, 16]}))


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"splits": ["trian"]}, "splits", "no split 'trian'"),
        ({"splits": ["unlabeled"]}, "splits", "'unlabeled' of STL-10 has no labels"),
        ({"evaluation": {"matching": "one_to_one"}}, "evaluation.matching", "for a classifier"),
        ({"augmentation": {"crop": 97}}, "augmentation.crop", "at most 96"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], key: str, says: str
) -> None:
    problems = list(context(tmp_path, **changes).settings.problems(find_dataset("stl10")))
    assert [problem.key for problem in problems] == [key]
    assert says in problems[0].message and problems[0].allowed


def test_the_estimated_cost_is_what_is_computed(base: tuple[Path, Outcome]) -> None:
    own = context(base[0])
    dataset = find_dataset("stl10").model_copy(update={"splits": SPLITS})
    with counted() as macs:
        machine.train(own)
    cost = own.settings.cost(dataset, of_layers)
    assert (cost.steps, cost.training, cost.evaluation) == (0, 0, 2 * macs[False])
