from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path

import pytest
import yaml

from iic.params.datasets import Dataset, find_dataset, load_catalogue
from iic.params.errors import SettingsError
from tests.data.faulty_server import SHARED

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "params" / "datasets.yaml"


@pytest.fixture
def entry() -> dict:
    return yaml.safe_load(SHIPPED.read_text())["mnist"]


def error_of(tmp_path: Path, content: dict) -> str:
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(SettingsError) as caught:
        load_catalogue(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_shipped_entries() -> None:
    catalogue = load_catalogue(SHIPPED)
    mnist, digits = catalogue["mnist"], catalogue["digits"]
    assert list(mnist.splits.items()) == [("train", 60_000), ("test", 10_000)]
    assert (mnist.count, mnist.image.shape, len(mnist.mirrors)) == (70_000, (1, 28, 28), 3)
    assert (digits.count, digits.image.shape, digits.stand_in) == (1797, (1, 28, 28), False)


@pytest.mark.parametrize("name", load_catalogue(SHIPPED))
def test_reader_exists(name: str) -> None:
    assert callable(importlib.import_module(load_catalogue(SHIPPED)[name].module).read)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason=f"no MNIST in {SHARED}")
def test_mnist_checksums() -> None:
    for file in load_catalogue(SHIPPED)["mnist"].files:
        content = (SHARED / "mnist" / file.name).read_bytes()
        assert len(content) == file.size
        assert hashlib.sha256(content).hexdigest() == file.sha256
        # the official sum, so that the sha256 is that of the official file
        assert hashlib.md5(content).hexdigest() == file.md5


def test_unknown_key_suggests_the_nearest(tmp_path: Path, entry: dict) -> None:
    entry["lisence"] = entry.pop("licence")
    text = error_of(tmp_path, {"mnist": entry})
    assert "mnist.lisence" in text
    assert "did you mean: licence?" in text


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("splits", {"train": 0}, "mnist.splits.train"),
        ("splits", {"Train": 5}, "mnist.splits.Train"),
        ("classes", [0, 1], "mnist.classes.0"),
        ("classes", ["one", "one"], "a class is named twice"),
        ("mirrors", ["https://example.org/mnist"], "mnist.mirrors.0"),
        ("mirrors", [], "at least one entry in mirrors"),
        ("files", [], "mnist.files"),
        ("module", "mnist", "mnist.module"),
        ("stand_in", True, "mnist.stand_in: true contradicts the name"),
    ],
)
def test_wrong_value(tmp_path: Path, entry: dict, key: str, value: object, expected: str) -> None:
    assert expected in error_of(tmp_path, {"mnist": {**entry, key: value}})


@pytest.mark.parametrize("name", ["../mnist", "/etc/mnist", "a//b", "a/../b", ".lock"])
def test_file_name_stays_in_its_folder(tmp_path: Path, entry: dict, name: str) -> None:
    entry["files"][0]["name"] = name
    assert "mnist.files.0.name" in error_of(tmp_path, {"mnist": entry})


def test_file_listed_twice(tmp_path: Path, entry: dict) -> None:
    entry["files"].append(entry["files"][0])
    text = error_of(tmp_path, {"mnist": entry})
    assert "'train-images-idx3-ubyte.gz' is listed twice" in text


@pytest.mark.parametrize("name", ["MNIST", "mnist-2", "mnist 2", "ß"])
def test_name_of_a_dataset(tmp_path: Path, entry: dict, name: str) -> None:
    assert "is no name for a dataset" in error_of(tmp_path, {name: entry})


@pytest.mark.parametrize("content", [[], {}, "mnist"])
def test_no_mapping(tmp_path: Path, content: object) -> None:
    assert "holds no datasets" in error_of(tmp_path, content)  # type: ignore[arg-type]


def test_unknown_dataset_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="no dataset 'mnits'") as caught:
        find_dataset("mnits", SHIPPED)
    assert "did you mean: mnist?" in str(caught.value)


def test_members_take_the_place_of_their_archive(entry: dict) -> None:
    entry["files"][0]["members"] = [
        {"name": f"data/{index}", "size": 1, "sha256": "0" * 64} for index in range(2)
    ]
    raw_files = Dataset.model_validate_json(json.dumps(entry)).raw_files
    assert [one.name for one in raw_files][:3] == ["data/0", "data/1", "train-labels-idx1-ubyte.gz"]
    assert len(raw_files) == 5
