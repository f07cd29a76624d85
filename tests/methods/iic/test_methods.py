"""Every method behind the one interface: what comes out, from which seed, without labels."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from iic.engine.context import Outcome
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods import kmeans
from iic.methods.iic import method as two_heads
from iic.methods.iic import random_network
from iic.methods.iic import star as iic_star
from iic.params.method import MethodSettings
from iic.params.modules import method_modules
from iic.records.history import TIME_FIELDS
from tests.methods.methods_helpers import (
    IIC,
    KMEANS,
    NUMBER,
    RANDOM,
    SPLITS,
    STAR,
    context,
    digits,
)

ROOT = Path(__file__).resolve().parents[2]
METHODS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "iic": (two_heads, IIC),
    "iic_star": (iic_star, STAR),
    "random": (random_network, RANDOM),
    "kmeans": (kmeans, KMEANS),
}
MODULES = method_modules()


def train(name: str, folder: Path, seed: int = 0, labelled: bool = True, **changes: Any) -> Outcome:
    module, settings = METHODS[name]
    run = context(folder, module.Settings, settings | changes, seed, labelled, SPLITS)
    outcome = module.train(run)
    assert isinstance(outcome, Outcome)
    return outcome


def assert_same(outcome: Outcome, other: Outcome) -> None:
    """All that training decides is equal byte by byte; times and accuracies are left out."""
    np.testing.assert_array_equal(outcome.last.clusters, other.last.clusters)
    assert (outcome.last.epoch, outcome.last.losses) == (other.last.epoch, other.last.losses)
    mine, theirs = outcome.tensors or {}, other.tensors or {}
    last = {key for key in mine if not key.startswith("best_label.")}
    assert last == {key for key in theirs if not key.startswith("best_label.")} and last
    for key in last:
        assert mine[key].tobytes() == theirs[key].tobytes(), key
    free = TIME_FIELDS | {"accuracy"}
    assert [{k: v for k, v in entry.items() if k not in free} for entry in outcome.history] == [
        {k: v for k, v in entry.items() if k not in free} for entry in other.history
    ]
    assert (outcome.probabilities is None) == (other.probabilities is None)
    if outcome.probabilities is not None and other.probabilities is not None:
        assert outcome.probabilities.tobytes() == other.probabilities.tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_the_outcome_is_what_the_command_line_writes(tmp_path: Path, name: str) -> None:
    outcome = train(name, tmp_path)
    heads = 1 if name == "kmeans" else 3
    assert outcome.k == (15 if name == "iic_star" else 10)
    for checkpoint in (outcome.last, outcome.best_label):
        assert checkpoint is not None
        assert checkpoint.clusters.shape == (NUMBER, heads)
        assert checkpoint.clusters.dtype == np.uint8
        assert checkpoint.clusters.max() < outcome.k
        assert checkpoint.losses is not None and len(checkpoint.losses) == heads
        assert np.isfinite(checkpoint.losses).all()
    assert outcome.tensors and all(tensor.flags.c_contiguous for tensor in outcome.tensors.values())
    assert outcome.precision == "float32" and outcome.deterministic
    if name == "kmeans":
        assert outcome.probabilities is None and not outcome.history
        return
    assert outcome.probabilities is not None
    assert outcome.probabilities.shape == (NUMBER, 3, outcome.k)
    assert outcome.probabilities.dtype == np.float16
    np.testing.assert_allclose(outcome.probabilities.astype(float).sum(2), 1, atol=5e-3)
    # float16 may tie where float32 did not, so the cluster only has to be among the most probable
    chosen = np.take_along_axis(
        outcome.probabilities, outcome.last.clusters[:, :, None].astype(int), axis=2
    )
    np.testing.assert_array_equal(chosen[:, :, 0], outcome.probabilities.max(2))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    assert_same(train(name, tmp_path / "a", seed=3), train(name, tmp_path / "b", seed=3))


@pytest.mark.parametrize("name", METHODS)
def test_another_seed_gives_another_result(tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {"restarts": 1} if name == "kmeans" else {}
    first, other = (train(name, tmp_path / str(seed), seed, **changes) for seed in (0, 1))
    assert (first.last.clusters != other.last.clusters).any()
    assert first.last.losses != other.last.losses


@pytest.mark.parametrize("name", METHODS)
def test_without_labels_training_is_the_same(tmp_path: Path, name: str) -> None:
    assert_same(train(name, tmp_path / "a"), train(name, tmp_path / "b", labelled=False))


def test_kmeans_is_scikit_learns(tmp_path: Path) -> None:
    images, _ = digits()
    outcome = train("kmeans", tmp_path, seed=5)
    pixels = images.reshape(NUMBER, -1).astype(np.float32) / 255
    # the number of threads may change the last bits
    with threadpool_limits(1):
        model = KMeans(10, n_init=2, max_iter=300, random_state=5).fit(pixels)
    np.testing.assert_array_equal(outcome.last.clusters[:, 0], model.labels_)
    assert outcome.last.losses == (float(model.inertia_),)
    assert outcome.tensors is not None
    np.testing.assert_array_equal(outcome.tensors["centres"], model.cluster_centers_)
    assert (outcome.last.epoch, outcome.steps) == (0, 0)


def test_kmeans_heeds_its_settings(tmp_path: Path) -> None:
    inertia = [
        (train("kmeans", tmp_path, restarts=restarts).last.losses or (0.0,))[0]
        for restarts in (1, 20)
    ]
    assert inertia[1] < inertia[0]
    stopped = train("kmeans", tmp_path, restarts=1, max_iterations=1).last.losses or (0.0,)
    assert stopped[0] > inertia[0]
    assert train("kmeans", tmp_path, k=12).last.clusters.max() == 11


def test_the_random_network_is_never_trained(tmp_path: Path) -> None:
    outcome = train("random", tmp_path)
    assert outcome.steps == 0
    assert [(entry["epoch"], entry["steps"]) for entry in outcome.history] == [(0, 0)]
    assert outcome.last.epoch == 0
    assert outcome.best_label is not None and outcome.best_label.epoch == 0
    np.testing.assert_array_equal(outcome.last.clusters, outcome.best_label.clusters)


def test_the_random_network_is_iics_before_its_first_step(tmp_path: Path) -> None:
    """Same trunk from the same seed, so the table's rows differ by training alone."""
    untrained = train("random", tmp_path / "a").tensors or {}
    schedule = {"epochs": 0, "evaluation_batch": 50}
    start = train("iic", tmp_path / "b", schedule=schedule).tensors or {}
    trunk = [name for name in untrained if name.startswith("last.") and ".heads." not in name]
    assert trunk
    for name in trunk:
        np.testing.assert_array_equal(untrained[name], start[name])
    trained = train("iic", tmp_path / "c").tensors or {}
    assert any((trained[name] != start[name]).any() for name in trunk)


def test_iic_reports_the_main_head_and_its_accuracy(tmp_path: Path) -> None:
    outcome = train("iic", tmp_path)
    assert [entry["epoch"] for entry in outcome.history] == [0, 1, 2]
    # 120 images, 30 distinct ones a batch, one pass of each head an epoch
    assert outcome.steps == 2 * 2 * 4
    assert [entry["head"] for entry in outcome.history] == [[], ["B", "A"], ["B", "A"]]
    _, labels = digits()
    scores = accuracy_per_sub_head(outcome.last.clusters, labels, 10, 10)
    assert outcome.history[-1]["accuracy"] == [round(float(score), 4) for score in scores]


def test_iic_star_maps_on_one_split_and_is_scored_on_the_other(tmp_path: Path) -> None:
    outcome = train("iic_star", tmp_path)
    assert [entry["head"] for entry in outcome.history] == [[], ["B"], ["B"]]
    assert outcome.steps == 2 * 3  # 80 images, 30 distinct ones a batch
    _, labels = digits()
    clusters, expected = outcome.last.clusters, []
    for head in range(3):
        mapping = [
            np.bincount(labels[:80][clusters[:80, head] == label], minlength=10).argmax()
            for label in range(15)
        ]
        right = np.array(mapping)[clusters[80:, head]] == labels[80:]
        expected.append(round(100 * float(right.mean()), 4))
    assert outcome.history[-1]["accuracy"] == expected


@pytest.mark.parametrize("name", MODULES)
def test_a_methods_module_keeps_the_interface(name: str) -> None:
    module = importlib.import_module(name)
    assert issubclass(module.Settings, MethodSettings)
    assert module.Settings is not MethodSettings and module.Settings.__module__ == name
    assert list(inspect.signature(module.train).parameters) == ["context"]
    assert module.__doc__ and module.train.__doc__ and module.Settings.__doc__


def test_the_modules_are_imported_without_anything_heavy() -> None:
    """The workflow reads their settings whenever it plans."""
    code = (
        "import sys, importlib\n"
        "for name in ('numpy', 'torch', 'torchvision', 'sklearn', 'scipy', 'pandas', 'pyarrow',\n"
        "             'matplotlib', 'rich', 'typer'): sys.modules[name] = None\n"
        "for name in sys.argv[1:]: importlib.import_module(name).Settings\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(MODULES) >= 3
