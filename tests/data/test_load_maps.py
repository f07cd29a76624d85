from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iic.data.errors import DataError
from iic.data.load_maps import load_maps
from iic.data.prepare_maps import prepare_maps
from tests.data.made_maps import made


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    prepare_maps("made", made(root), root)
    return root


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared / "data/prepared", tmp_path / "data/prepared")
    return tmp_path / "data/prepared/made"


def error_of(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_maps("made", folder.parents[2])
    assert str(folder) in str(caught.value)
    assert "remedy: `iic prepare --dataset made`" in str(caught.value)
    return str(caught.value)


def test_arrays_are_mapped_not_read(prepared: Path) -> None:
    data = load_maps("made", str(prepared))
    for array in (data.images, data.labels):
        assert isinstance(array, np.memmap) and array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert (data.sizes.dtype, data.sizes.shape) == (np.int64, (30, 2))
    assert data.names[7] == "made/7"


def test_indices_of_splits(prepared: Path) -> None:
    data = load_maps("made", prepared)
    assert data.indices(["two", "one"]).tolist() == [*range(20, 30), *range(20)]
    assert data.indices([]).tolist() == data.indices().tolist() == list(range(30))
    with pytest.raises(KeyError, match="made has no split 'three'"):
        data.indices(["three"])


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
    content = (folder / "labels.npy").read_bytes()
    (folder / "labels.npy").write_bytes(content[:length])
    assert "labels.npy: cut or no array file" in error_of(folder)


def test_missing_array(folder: Path) -> None:
    (folder / "labels.npy").unlink()
    assert "labels.npy: missing" in error_of(folder)


def test_pickled_array_is_not_opened(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "labels.npy: cut or no array file" in error_of(folder)


def test_other_type_and_shape(folder: Path) -> None:
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", labels.astype(np.int64))
    assert "labels.npy: int64 of shape (30, 6, 7), expected uint8" in error_of(folder)
    np.save(folder / "labels.npy", labels[:, :5])
    assert "shape (30, 5, 7), expected uint8 of shape (30, 6, 7)" in error_of(folder)


def test_not_prepared(tmp_path: Path) -> None:
    assert "data.json: missing" in error_of(tmp_path / "data/prepared/made")


def test_manifest_of_another_dataset(folder: Path) -> None:
    record = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(record | {"dataset": "other"}))
    assert "dataset: describes 'other', not 'made'" in error_of(folder)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"names": ["a"] * 29}, "29 names for 30 images"),
        ({"sizes": [[3, 5]] * 29}, "29 sizes for 30 images"),
        (
            {"sizes": [[3, 5]] * 29 + [[7, 5]]},
            "size 7x5 of image 29 does not fit the canvas of 6x7",
        ),
        ({"empty": [30]}, "empty names places outside the 30 images"),
        ({"count": 31}, "the splits do not cover the 31 images in order"),
        ({"maps": None}, "maps"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_manifest_that_contradicts_itself(folder: Path, changes: dict, expected: str) -> None:
    record = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(record | changes))
    assert expected in error_of(folder)


def test_what_is_imported() -> None:
    script = "import sys, iic.data.load_maps; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "torchvision", "pandas", "PIL", "rich", "requests"}
