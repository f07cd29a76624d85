"""The methods of segmentation behind the one interface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from iic.data.maps import IGNORED
from iic.engine.context import Outcome
from iic.engine.map_context import MapContext
from iic.evaluate.matching import match
from iic.methods import kmeans_colours
from iic.methods.deepcluster import maps as deepcluster_segmentation
from iic.methods.iic import maps as iic_segmentation
from iic.methods.iic import random_maps as random_cnn
from iic.methods.iic import star_maps as iic_star_segmentation
from iic.methods.sift import method as sift
from iic.params.datasets import Dataset, LabelMaps, find_dataset
from iic.params.errors import IICError, SettingsError
from iic.params.loading import validate
from iic.params.resolve import merged
from tests.engine.scenes import CLASSES, SETTINGS, SIDE
from tests.engine.scenes import context as iic_context
from tests.methods.test_cost import counted, of_layers

TWO_HEADS = SETTINGS
STAR = {name: SETTINGS[name] for name in ("network", "augmentation", "shifts", "pairs")} | {
    "head": {"k": 6, "splits": ["train"]},
    "optimiser": {"learning_rate": 3e-3},
    "schedule": {"epochs": 2, "evaluation_batch": 5},
    "evaluation": {"matching": "many_to_one", "mapping": ["train"], "test": ["val"]},
}
RANDOM = {name: SETTINGS[name] for name in ("network", "augmentation")} | {"k": 3}
COLOURS = {"k": 3, "input_size": SIDE, "samples": 2000}
SIFT = {"k": 3, "input_size": SIDE}
DEEPCLUSTER = {name: SETTINGS[name] for name in ("network", "augmentation", "maps")} | {
    "k": 3,
    "clusters": 9,
    "components": 8,
    "batch_images": 4,
    "samples": 2000,
    "evaluation_clusters": {"samples": 2000},
    "schedule": {"epochs": 2, "evaluation_batch": 5},
}
METHODS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "iic": (iic_segmentation, TWO_HEADS),
    "iic_star": (iic_star_segmentation, STAR),
    "random": (random_cnn, RANDOM),
    "kmeans": (kmeans_colours, COLOURS),
    "sift": (sift, SIFT),
    "deepcluster": (deepcluster_segmentation, DEEPCLUSTER),
}
SPLITS = {"train": 7, "val": 3}


def context(folder: Path, name: str, seed: int = 0, **changes: Any) -> MapContext[Any]:
    module, settings = METHODS[name]
    base = iic_context(folder, seed=seed, splits=SPLITS)
    model = module.Settings
    return replace(base, settings=validate(model, merged(settings, changes), "tests", name))


def train(folder: Path, name: str, seed: int = 0, **changes: Any) -> Outcome:
    outcome = METHODS[name][0].train(context(folder, name, seed, **changes))
    assert isinstance(outcome, Outcome)
    return outcome


def catalogue(**changes: Any) -> Dataset:
    """A catalogue's entry of the scenes."""
    entry = find_dataset("mnist")
    image = entry.image.model_copy(update={"channels": 3, "height": 28, "width": 32})
    maps = LabelMaps(scale=1.0, least_side=24)
    known = {"image": image, "maps": maps, "classes": CLASSES, "splits": SPLITS}
    return entry.model_copy(update={**known, **changes})


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_bytes(tmp_path: Path, name: str) -> None:
    first, again = train(tmp_path / "one", name), train(tmp_path / "again", name)
    other = train(tmp_path / "other", name, seed=1)
    assert first.last.clusters.tobytes() == again.last.clusters.tobytes()
    assert first.tensors is not None and again.tensors is not None and other.tensors is not None
    for key, tensor in first.tensors.items():
        assert tensor.tobytes() == again.tensors[key].tobytes(), key
    assert any(
        first.tensors[key].tobytes() != other.tensors[key].tobytes() for key in first.tensors
    )


@pytest.mark.parametrize("name", METHODS)
def test_what_comes_out(tmp_path: Path, name: str) -> None:
    run = context(tmp_path, name)
    outcome = METHODS[name][0].train(run)
    k = 6 if name == "iic_star" else 3
    assert outcome.k == k
    assert outcome.last.clusters.shape == (10, 1, k, 3)
    assert np.issubdtype(outcome.last.clusters.dtype, np.integer)
    assert outcome.best_label is not None
    labels = run.data.labels[:, 2:26, 4:28]
    if name == "sift":  # the middles of four boxes
        labels = labels[:, 5:16:10, 5:16:10]
    totals = np.stack([(labels == label).sum((1, 2)) for label in range(3)], axis=1)
    assert np.array_equal(outcome.last.clusters.sum((1, 2)), totals)


@pytest.mark.parametrize("name", METHODS)
def test_labels_change_the_mask_and_nothing_else(tmp_path: Path, name: str) -> None:
    """Which class a pixel has is never learnt from: only whether it has any."""
    plain, renamed = context(tmp_path / "a", name), context(tmp_path / "b", name)
    labelled = renamed.data.labels < 3
    renamed.data.labels[labelled] = 2 - renamed.data.labels[labelled]
    module = METHODS[name][0]
    first, other = module.train(plain), module.train(renamed)
    assert first.tensors is not None and other.tensors is not None
    for key, tensor in first.tensors.items():
        if not key.startswith("best_label."):
            assert tensor.tobytes() == other.tensors[key].tobytes(), key
    assert np.array_equal(first.last.clusters, other.last.clusters[..., ::-1])


def test_colours_are_clustered_as_by_lloyd(tmp_path: Path) -> None:
    """Three flat colours: mini-batches find what full k-means finds."""
    run = context(tmp_path, "kmeans")
    flat = np.array([[30, 60, 90], [200, 40, 40], [90, 220, 150]], np.uint8)
    labels = run.data.labels.clip(max=2)
    run.data.images[:] = flat[labels].transpose(0, 3, 1, 2)
    outcome = kmeans_colours.train(run)
    counts = outcome.last.clusters.sum(0)[0]
    mapping = match(counts, "one_to_one")
    assert sum(counts[cluster, label] for cluster, label in enumerate(mapping)) == counts.sum()
    pixels = run.data.images.transpose(0, 2, 3, 1).reshape(-1, 3)
    centres = KMeans(3, n_init=3, random_state=0).fit(pixels).cluster_centers_
    assert outcome.tensors is not None
    found = outcome.tensors["centres"]
    assert np.allclose(np.sort(found, axis=0), np.sort(centres, axis=0), atol=1)


def test_colours_of_masked_pixels_are_not_drawn(tmp_path: Path) -> None:
    run = context(tmp_path, "kmeans")
    run.data.labels[:, :, 16:] = IGNORED
    run.data.images[:, :, :, 16:] = 255
    run.data.images[:, :, :, :16] //= 2
    assert np.concatenate(list(kmeans_colours._sample(run))).max() < 128
    free = context(tmp_path, "kmeans", maps={"training_mask": False})
    free.data.images[:, :, :, 16:] = 255
    assert np.concatenate(list(kmeans_colours._sample(free))).max() == 255


def test_no_more_pixels_are_drawn_than_asked_for(tmp_path: Path) -> None:
    for samples, drawn in ((2000, 2000), (5, 5), (10**6, None)):
        run = context(tmp_path, "kmeans", samples=samples)
        pixels = np.concatenate(list(kmeans_colours._sample(run)))
        run = context(tmp_path, "kmeans")
        most = sum(int((labels < 3).sum()) for labels in run.data.labels)
        assert len(pixels) == drawn or (drawn is None and len(pixels) <= most)


def test_nothing_left_to_draw_from(tmp_path: Path) -> None:
    run = context(tmp_path, "kmeans")
    run.data.labels[:] = IGNORED
    with pytest.raises(IICError, match="0 points for 3 clusters"):
        kmeans_colours.train(run)


WRONG: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "one label an image": ("iic", {}, {"maps": None}, "network.family"),
    "crop too large": ("iic", {}, {"maps": LabelMaps(scale=1, least_side=20)}, "input_size"),
    "channels": ("iic", {"augmentation": {"sobel": False}}, {}, "network.in_channels"),
    "sizes": ("iic", {"network": {"input_size": 26}}, {}, "network.input_size"),
    "k_b": ("iic", {"head_b": {"k": 4}}, {}, "head_b.k"),
    "k_a": ("iic", {"head_a": {"k": 2}}, {}, "head_a.k"),
    "splits": ("iic", {"head_a": {"splits": ["tain"]}}, {}, "head_a.splits"),
    "shifts": ("iic", {"shifts": {"half_side": 12}}, {}, "shifts.half_side"),
    "sparse": ("iic", {"shifts": {"sparse_max": 24}}, {}, "shifts.sparse_max"),
    "no sky": ("iic", {"maps": {"unlabelled_as_sky": True}}, {"classes": ("a", "b", "c")}, "sky"),
    "snapshots": ("iic", {"schedule": {"snapshot_steps": [1]}}, {}, "schedule.snapshot_steps"),
    "batch": ("iic", {"pairs": {"batch_pairs": 11}}, {}, "pairs.batch_pairs"),
    "star's k": ("iic_star", {"head": {"k": 2}}, {}, "head.k"),
    "untrained k": ("random", {"k": 2}, {}, "k"),
    "colours' k": ("kmeans", {"k": 2}, {}, "k"),
    "colours' crop": ("kmeans", {"input_size": 30}, {}, "input_size"),
    "colours without maps": ("kmeans", {}, {"maps": None}, "maps"),
    "descriptors' k": ("sift", {"k": 2}, {}, "k"),
    "more clusters than descriptors": ("sift", {"k": 41}, {}, "k"),
    "no room for a descriptor": ("sift", {"input_size": 9}, {}, "input_size"),
    "descriptors' crop": ("sift", {"input_size": 30}, {}, "input_size"),
    "descriptors without maps": ("sift", {}, {"maps": None}, "maps"),
    "descriptors' splits": ("sift", {"splits": ["tain"]}, {}, "splits"),
    "evaluation's k": ("deepcluster", {"k": 2}, {}, "k"),
    "evaluation's samples": (
        "deepcluster",
        {"evaluation_clusters": {"samples": 2}},
        {},
        "evaluation_clusters.samples",
    ),
    "pseudo-labels' samples": ("deepcluster", {"samples": 8}, {}, "samples"),
    "pseudo-labels' batch": ("deepcluster", {"batch_images": 11}, {}, "batch_images"),
    "pseudo-labels' crop": ("deepcluster", {"network": {"input_size": 26}}, {}, "input_size"),
    "pseudo-labels' splits": ("deepcluster", {"splits": ["tain"]}, {}, "splits"),
    "no snapshots": (
        "deepcluster",
        {"schedule": {"snapshot_steps": [1]}},
        {},
        "schedule.snapshot_steps",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_said_before_training(tmp_path: Path, case: str) -> None:
    name, changes, of_dataset, key = WRONG[case]
    settings = context(tmp_path, name, **changes).settings
    problems = list(settings.problems(catalogue(**of_dataset)))
    assert any(key in problem.key for problem in problems), problems
    assert all(problem.allowed for problem in problems)


@pytest.mark.parametrize("name", METHODS)
def test_what_fits_has_no_problems(tmp_path: Path, name: str) -> None:
    assert list(context(tmp_path, name).settings.problems(catalogue())) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"head_padding": 2}}, "head_padding"),
        ({"network": {"input_size": 25}}, "cannot be halved"),
        ({"shifts": {"sparse_min": 3, "sparse_max": 1}}, "sparse_min 3 is above sparse_max 1"),
        ({"maps": {"evaluation_area": "middle"}}, "evaluation_area"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        context(tmp_path, "iic", **changes)


@pytest.mark.parametrize("name", ["iic", "iic_star", "random"])
def test_the_estimate_counts_what_is_computed(tmp_path: Path, name: str) -> None:
    """Up to the best epoch's second look, which segmentation does not take."""
    run = context(tmp_path, name)
    cost = run.settings.cost(catalogue(), of_layers)
    with counted() as macs:
        outcome = METHODS[name][0].train(run)
    assert cost.steps == outcome.steps
    # counted once in the forward pass, which is a third of a training step
    assert 6 * macs[True] == pytest.approx(cost.training)
    # the trunk is looked at once more for how many values each BatchNorm averages
    assert 2 * macs[False] == pytest.approx(cost.evaluation, rel=0.05)
