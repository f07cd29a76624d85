"""Values that are each well-formed but do not fit together, and which file is to blame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iic.params.layers import Layer, flattened, given, merged, origin
from tests.params.params_helpers import (
    MINI,
    SMOKE,
    TABLE,
    Place,
    change,
    copy_of,
    error_of,
    parsed,
    planned,
    row_of,
    write,
)

IIC = row_of("iic")
COLOURS = {"kind": "colour", "crop": 20, "input_size": 24}

MISFITS: list[tuple[str, dict[str, Any], str, str]] = [
    # run, settings, the key to blame, what is said of it
    ("iic", {"head_a": {"k": 9}}, "head_a.k",
     "an overclustering head of 9 clusters for 10 classes\n  allowed: at least 10"),
    ("iic", {"head_b": {"k": 11}}, "head_b.k",
     "11 clusters, but 10 classes\n  allowed: the number of classes, 10"),
    ("iic", {"head_b": {"k": 9}}, "head_b.k", "9 clusters, but 10 classes"),
    ("iic", {"pairs": {"batch_pairs": 701}}, "pairs.batch_pairs",
     "701 pairs do not divide into 5 repeats\n  allowed: a multiple of repeats = 5"),
    ("iic", {"pairs": {"repeats": 3}}, "pairs.batch_pairs", "700 pairs do not divide into 3"),
    ("iic", {"pairs": {"batch_pairs": 3}}, "pairs.batch_pairs", "3 pairs do not divide into 5"),
    ("iic", {"pairs": {"batch_pairs": 350005}}, "pairs.batch_pairs",
     "350005 pairs in 5 repeats are 70001 distinct images a batch, but MNIST handwritten digits "
     "has 70000\n  allowed: at most 350000"),
    ("iic", {"augmentation": {"crops": [16, 29]}}, "augmentation.crops",
     "a crop of side 29 does not fit into images of side 28; at most 28 is possible\n"
     "  allowed: crops of at most 28 pixels"),
    ("iic", {"augmentation": {"crop": 30}}, "augmentation.crop", "a crop of side 30 does not fit"),
    ("iic", {"augmentation": {"input_size": 32}}, "network.input_size",
     "24 pixels, but the transforms give 32\n  allowed: 32"),
    ("iic", {"network": {"input_size": 16}}, "network.input_size",
     "16 pixels, but the transforms give 24\n  allowed: 24"),
    ("iic", {"network": {"in_channels": 2}}, "network.in_channels",
     "2 channels, but the transforms give 1\n  allowed: 1"),
    ("iic", {"augmentation": COLOURS}, "augmentation.kind",
     "'colour' transforms take 3 channels, but the images of MNIST handwritten digits have 1\n"
     "  allowed: grey for images with 1 channel, colour for 3"),
    ("random", {"k": 9}, "k", "9 clusters for 10 classes\n  allowed: at least 10"),
    ("random", {"pairs": {"batch_pairs": 701}}, "pairs.batch_pairs", "do not divide"),
    ("random", {"pairs": {"batch_pairs": 350005}}, "pairs.batch_pairs", "distinct images a batch"),
    ("random", {"augmentation": {"crop": 29}}, "augmentation.crop", "does not fit into images"),
    ("random", {"network": {"in_channels": 5}}, "network.in_channels", "the transforms give 1"),
    ("kmeans", {"k": 9}, "k", "9 clusters for 10 classes and 70000 images\n  allowed: 10 to 70000"),
    ("kmeans", {"k": 70001}, "k", "70001 clusters for 10 classes and 70000 images"),
    ("spectral", {"k": 9}, "k",
     "9 clusters for 10 classes and 70000 images\n  allowed: 10 to 70000"),
    ("spectral", {"k": 70001}, "k", "70001 clusters for 10 classes and 70000 images"),
    ("spectral", {"neighbours": 70000}, "neighbours",
     "70000 neighbours of each of 70000 images\n  allowed: 7 to 69999"),
]  # fmt: skip


def _replaced(settings: Any, by: dict[str, Any]) -> dict[str, Any]:
    """The paper's settings with these on top; another kind of augmentation replaces the old."""
    if "kind" in by.get("augmentation", {}):
        settings = {**settings, "augmentation": {}}
    return merged(settings, by)


@pytest.mark.parametrize(("run", "settings", "key", "says"), MISFITS)
def test_the_experiment_is_blamed_for_its_own_values(
    tmp_path: Path, run: str, settings: dict[str, Any], key: str, says: str
) -> None:
    params = copy_of(tmp_path)
    place: Place = ("rows", row_of(run), "datasets", "mnist")
    paper = parsed(params / TABLE)["rows"][row_of(run)]["datasets"]["mnist"]
    change(params, TABLE, place, _replaced(paper, settings))
    for scale in ("mini", "gpu"):
        error = error_of(params, scale)
        assert error.file == str(params / TABLE)
        assert error.key == f"rows.{row_of(run)}.datasets.mnist.{key}"
        assert says in str(error)


# a change is laid on the paper's transforms, so it cannot make them another kind by itself
CHANGES = [one for one in MISFITS if "kind" not in one[1].get("augmentation", {})]


@pytest.mark.parametrize(("run", "settings", "key", "says"), CHANGES)
def test_a_scale_is_blamed_for_what_it_changes(
    tmp_path: Path, run: str, settings: dict[str, Any], key: str, says: str
) -> None:
    params = copy_of(tmp_path)
    change(params, "scales/gpu.yaml", ("changes", f"mnist/{run}"), settings)
    error = error_of(params, "gpu")
    assert error.file == str(params / "scales/gpu.yaml")
    assert error.key == f"changes.mnist/{run}.{key}"
    assert says in str(error)
    planned(params, "paper")


def test_a_scale_is_blamed_for_the_dataset_it_puts_in_place(tmp_path: Path) -> None:
    """20 pixels of MNIST's 28 are the paper's crop; of other images they may be too much."""
    params = copy_of(tmp_path)
    change(params, "datasets.yaml", ("digits", "image"), {"channels": 1, "height": 18, "width": 28})
    error = error_of(params)
    assert error.file == str(params / MINI)
    assert error.key == "changes.digits/random.augmentation.crop"
    assert "a crop of side 20 does not fit into images of side 18" in str(error)
    planned(params, "gpu")

    change(params, "datasets.yaml", ("digits", "image"), {"channels": 3, "height": 28, "width": 28})
    assert error_of(params).key == "changes.digits/random.augmentation.kind"


def test_of_two_scales_the_one_that_says_it_is_blamed(tmp_path: Path) -> None:
    params = copy_of(tmp_path)
    change(params, SMOKE, ("changes", "digits/iic", "pairs"), {"repeats": 3, "batch_pairs": 350})
    error = error_of(params, "smoke")
    assert (error.file, error.key) == (
        str(params / SMOKE),
        "changes.digits/iic.pairs.batch_pairs",
    )
    planned(params, "mini")
    params = copy_of(tmp_path / "other")
    change(params, MINI, ("changes", "digits/iic", "pairs"), {"repeats": 3, "batch_pairs": 350})
    for scale in ("mini", "smoke"):
        error = error_of(params, scale)
        assert error.file == str(params / MINI)
        assert error.key == "changes.digits/iic.pairs.batch_pairs"


def test_what_is_common_to_all_datasets_is_named_where_it_stands(tmp_path: Path) -> None:
    params = copy_of(tmp_path)
    change(params, TABLE, ("rows", IIC, "settings", "optimizer"), {"learning_rate": 1.0e-4})
    error = error_of(params)
    assert error.key == f"rows.{IIC}.settings.optimizer"
    assert error.hint == "optimiser"


def test_what_comes_from_another_run_is_named_there(tmp_path: Path) -> None:
    """`like` takes over the other run's settings, and with them its mistakes."""
    params = copy_of(tmp_path)
    table = parsed(params / TABLE)
    like = next(row for row in table["rows"] if row.get("like") == "iic")
    table["rows"] = [like, *(row for row in table["rows"] if row is not like)]
    base = next(i for i, row in enumerate(table["rows"]) if row.get("run") == "iic")
    table["rows"][base]["datasets"]["mnist"]["head_a"]["k"] = 9
    write(params, TABLE, table)
    assert error_of(params).key == f"rows.{base}.datasets.mnist.head_a.k"
    table["rows"][base]["datasets"]["mnist"]["head_a"]["k"] = 50
    like["settings"] = {"head_b": {"k": 9}}
    write(params, TABLE, table)
    assert error_of(params).key == "rows.0.settings.head_b.k"


def test_runs_that_a_scale_skips_are_checked_too(tmp_path: Path) -> None:
    params = copy_of(tmp_path)
    change(params, "scales/laptop.yaml", ("changes", "mnist/iic-corrected"), {"sub_heads": -5})
    error = error_of(params, "laptop")
    assert error.key == "changes.mnist/iic-corrected.sub_heads"


def test_layers() -> None:
    low = Layer("low", "a.b", {"x": {"y": 1, "z": [1, 2]}, "w": 1})
    high = Layer("high", "", {"x": {"z": [3]}})
    layers = [low, high]
    assert flattened(layers) == {"x": {"y": 1, "z": [3]}, "w": 1}
    assert low.values == {"x": {"y": 1, "z": [1, 2]}, "w": 1}
    assert origin(layers, "x.y") is low
    assert origin(layers, "x.z") is high
    assert origin(layers, "x.z.1") is low
    assert origin(layers, "x.z.0") is high
    assert origin(layers, "x.unknown") is high
    assert origin(layers, "unknown") is high
    assert low.source("x.y") == ("low", "a.b.x.y")
    assert high.source("x") == ("high", "x")
    assert given([high], "x.z") and not given([high], "x.y")
