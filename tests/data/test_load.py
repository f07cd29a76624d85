from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iic.data.download import download
from iic.data.errors import DataError
from iic.data.load import load
from iic.data.prepare import prepare
from iic.params.datasets import load_catalogue

ROOT = Path(__file__).resolve().parents[2]
DIGITS = load_catalogue(ROOT / "params" / "datasets.yaml")["digits"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    download(DIGITS, "digits", root)
    prepare("digits", DIGITS, root)
    return root


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared / "data/prepared", tmp_path / "data/prepared")
    return tmp_path / "data/prepared/digits"


def error_of(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load("digits", folder.parents[2])
    assert str(folder) in str(caught.value)
    assert "remedy: `iic prepare --dataset digits`" in str(caught.value)
    return str(caught.value)


def test_images_are_mapped_not_read(prepared: Path) -> None:
    data = load("digits", str(prepared))
    assert isinstance(data.images, np.memmap) and data.images.flags.c_contiguous
    assert data.indices().tolist() == list(range(len(data.images)))
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0


def test_float_images_with_nan(folder: Path) -> None:
    images = np.load(folder / "images.npy").astype(np.float32)
    images[5, 0, 1, 2] = np.nan
    np.save(folder / "images.npy", images)
    text = error_of(folder)
    assert "images.npy: float32" in text and "expected uint8" in text
    assert "1 values are NaN or infinite, the first at index (5, 0, 1, 2)" in text


def test_manifest_that_admits_float_images(folder: Path) -> None:
    record = json.loads((folder / "data.json").read_text())
    record["images"]["dtype"] = "float32"
    (folder / "data.json").write_text(json.dumps(record))
    assert "images.dtype" in error_of(folder)


def test_other_shape(folder: Path) -> None:
    np.save(folder / "images.npy", np.load(folder / "images.npy")[:100])
    assert "shape (100, 1, 28, 28), expected uint8 of shape (1797, 1, 28, 28)" in error_of(folder)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_flipped_byte(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(-10, 2)
        byte = file.read(1)
        file.seek(-10, 2)
        file.write(bytes([byte[0] ^ 1]))
    assert f"{name}: corrupt" in error_of(folder)


@pytest.mark.parametrize("length", [0, 5, 1000])
def test_cut_array(folder: Path, length: int) -> None:
    content = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(content[:length])
    assert "images.npy: cut or no array file" in error_of(folder)


def test_pickled_array_is_not_opened(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "labels.npy: cut or no array file" in error_of(folder)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "data.json"])
def test_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name}: missing" in error_of(folder)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("count", 1796, "the splits do not cover the 1796 images"),
        ("splits", [{"name": "train", "start": 1, "stop": 1797}], "the splits do not cover"),
        ("image", {"channels": 3, "height": 28, "width": 28}, "contradicts count and image"),
        ("dataset", "mnist", "describes 'mnist', not 'digits'"),
        (
            "folds",
            [[0, 1], [1296, 1297]],
            "fold 1 has images outside 0 to 1,296, the split 'train'",
        ),
        ("folds", [[0, 1], [2]], "fold 1 has 1 images, fold 0 2"),
        ("folds", [[0, 1], [2, 2]], "an image is twice in fold 1"),
        ("folds", [], "folds without images"),
    ],
)
def test_inconsistent_manifest(folder: Path, key: str, value: object, problem: str) -> None:
    record = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps({**record, key: value}))
    assert problem in error_of(folder)


@pytest.mark.parametrize(
    "module",
    [
        "load",
        "download",
        "prepare",
        "mnist",
        "stl10",
        "cifar10",
        "cifar100_20",
        "standin.content",
    ],
)
def test_light_imports(module: str) -> None:
    code = (
        f"import sys, iic.data.{module}\n"
        "print(sorted({'torch', 'torchvision', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
