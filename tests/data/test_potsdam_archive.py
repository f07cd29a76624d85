from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from iic.data import potsdam_archive
from iic.data.errors import DataError
from iic.data.load_maps import load_maps
from iic.data.maps import UNLABELLED
from iic.data.potsdam import SPLITS
from iic.data.prepare_maps import prepare_maps
from iic.params.datasets import Dataset
from tests.data.potsdam_helpers import raw_of, with_checksums
from tests.data.standin_helpers import CATALOGUE

NAME = "potsdam6_archive"
SIDE = 6
LISTS = {"unlabelled_train": (7, 0), "labelled_train": (11, 3, 5), "labelled_test": (2,)}
Files = dict[str, bytes]


def mat(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def image_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 4), np.uint8)


def classes_of(number: int) -> np.ndarray:
    return np.random.default_rng(100 + number).integers(0, 6, (SIDE, SIDE)).astype(np.int32)


def files() -> Files:
    made = {}
    for split, ids in LISTS.items():
        made[f"{split}.txt"] = "".join(f"{tile}\n" for tile in ids).encode()
        for tile in ids:
            made[f"imgs/{tile}.mat"] = mat(img=image_of(tile))
            if split != "unlabelled_train":
                made[f"gt/{tile}.mat"] = mat(gt=classes_of(tile))
    return made


def entry(name: str = NAME, **changes: object) -> Dataset:
    return Dataset.model_validate(
        CATALOGUE[name].model_dump()
        | {
            "image": {"channels": 4, "height": SIDE, "width": SIDE},
            "splits": {split: len(ids) for split, ids in LISTS.items()},
        }
        | changes
    )


def write(root: Path, contents: Files, folder: str = "POTSDAM/", name: str = NAME) -> Path:
    raw = raw_of(root, name)
    raw.mkdir(parents=True)
    with tarfile.open(raw / potsdam_archive.ARCHIVE, "w:gz") as tar:
        for path, content in contents.items():
            member = tarfile.TarInfo(folder + path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw


@pytest.mark.parametrize("folder", ["", "POTSDAM/", "./a/b/"])
def test_prepared(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(potsdam_archive, "PIECE", 2)
    raw = write(tmp_path, files(), folder)
    manifest = prepare_maps(NAME, with_checksums(entry(), raw), tmp_path, workers=2)
    data = load_maps(NAME, tmp_path)
    tiles = [tile for ids in LISTS.values() for tile in ids]
    assert data.names == tuple(f"imgs/{tile}" for tile in tiles)
    for index, tile in enumerate(tiles):
        assert np.array_equal(data.images[index], image_of(tile).transpose(2, 0, 1))
        if index < 2:
            assert set(np.unique(data.labels[index])) == {UNLABELLED}
        else:
            assert np.array_equal(data.labels[index], classes_of(tile))
    assert data.indices(["labelled_test"]).tolist() == [5]
    assert manifest.empty == (0, 1)
    # what was unpacked for reading leaves nothing behind
    assert [path.name for path in raw.iterdir()] == [potsdam_archive.ARCHIVE]


def test_three_classes(tmp_path: Path) -> None:
    reader = potsdam_archive.open_maps(write(tmp_path, files()), entry("potsdam3_archive"))
    merged = np.array([0, 1, 2, 2, 0, 1])
    labelled = reader.pieces[1]
    for number, label in zip(LISTS["labelled_train"], reader.read(labelled).labels, strict=True):
        assert np.array_equal(label, merged[classes_of(number)])


def test_pieces_cover_the_real_archive_once() -> None:
    for name in ("potsdam3_archive", "potsdam6_archive"):
        assert tuple(CATALOGUE[name].splits) == SPLITS
        assert CATALOGUE[name].splits == CATALOGUE["potsdam3"].splits


def without(name: str) -> Callable[[Files], object]:
    return lambda made: made.pop(name)


def replaced(**contents: bytes) -> Callable[[Files], object]:
    names = {"image": "imgs/3.mat", "classes": "gt/3.mat", "train": "labelled_train.txt"}
    return lambda made: made.update({names[key]: value for key, value in contents.items()})


WRONG_LISTS = {
    "no list": (without("labelled_test.txt"), "Potsdam.tar.gz: holds no labelled_test.txt"),
    "no image": (without("imgs/3.mat"), "labelled_train.txt names '3', but there is no imgs/3.mat"),
    "no labels": (without("gt/2.mat"), "labelled_test.txt names '2', but there is no gt/2.mat"),
    "too short": (replaced(train=b"11\n3\n"), "labelled_train.txt names 2 tiles, expected 3"),
    "twice": (replaced(train=b"11\n3\n3\n"), "tile 3 stands in the lists twice"),
    "words": (replaced(train=b"11\n3\nfive"), "names 'five', but there is no imgs/five.mat"),
}


@pytest.mark.parametrize("what", WRONG_LISTS)
def test_wrong_lists(tmp_path: Path, what: str) -> None:
    change, problem = WRONG_LISTS[what]
    made = files()
    change(made)
    with pytest.raises(DataError, match=problem) as caught:
        potsdam_archive.open_maps(write(tmp_path, made), entry())
    assert f"iic download --dataset {NAME}" in str(caught.value)


WRONG_FILES = {
    "cut": (replaced(image=mat(img=image_of(3))[:-20]), "imgs/3.mat: cut or no Matlab file"),
    "empty": (replaced(classes=b""), "gt/3.mat: cut or no Matlab file"),
    "another key": (replaced(image=mat(image=image_of(3))), "imgs/3.mat: img is nothing, expected"),
    "three channels": (
        replaced(image=mat(img=image_of(3)[..., :3])),
        r"imgs/3.mat: img is uint8 of shape \(6, 6, 3\), expected uint8 of shape \(6, 6, 4\)",
    ),
    "another type": (
        replaced(classes=mat(gt=classes_of(3).astype(np.uint8))),
        r"gt/3.mat: gt is uint8 of shape \(6, 6\), expected int32",
    ),
    "another class": (
        replaced(classes=mat(gt=np.where(np.eye(6, dtype=bool), 6, classes_of(3)).astype("i4"))),
        r"gt/3.mat: class 6 in row 0, column 0 \(6 such pixels\), expected 0 to 5",
    ),
}


@pytest.mark.parametrize("what", WRONG_FILES)
def test_wrong_files(tmp_path: Path, what: str) -> None:
    change, problem = WRONG_FILES[what]
    made = files()
    change(made)
    reader = potsdam_archive.open_maps(write(tmp_path, made), entry())
    with pytest.raises(DataError, match=f"Potsdam.tar.gz: {problem}"):
        reader.read(reader.pieces[1])


def test_wrong_archives(tmp_path: Path) -> None:
    raw = write(tmp_path, files())
    path = raw / potsdam_archive.ARCHIVE
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"no archive", gzip.compress(b"no tar" * 200), b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"Potsdam.tar.gz: (cut or no tar.gz|holds no)"):
            potsdam_archive.open_maps(raw, entry())
    path.unlink()
    with pytest.raises(DataError, match=r"Potsdam.tar.gz: cannot be read.*No such file"):
        potsdam_archive.open_maps(raw, entry())
    with pytest.raises(DataError, match=r"potsdam6_archive.classes: a, b: neither"):
        potsdam_archive.open_maps(raw, entry(classes=("a", "b")))
    with pytest.raises(DataError, match=r"potsdam6_archive.splits: train, expected unlabelled"):
        potsdam_archive.open_maps(raw, entry(splits={"train": 6}))
