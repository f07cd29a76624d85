from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from iic.data import stl10
from iic.data.download import download
from iic.data.errors import DataError, DownloadError
from iic.data.load import load
from iic.data.prepare import prepare
from iic.params.datasets import Dataset
from tests.data.standin_helpers import tiny, write_raw

NAME = "stl10_standin"
SPLITS = {"train": 50, "unlabeled": 7, "test": 11}
FOLDER = "stl10_binary"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    image = {"channels": 3, "height": 96, "width": 96}
    return tiny(NAME, splits=SPLITS, image=image)


@pytest.fixture
def raw(dataset: Dataset, tmp_path: Path) -> Path:
    folder = tmp_path / "data/raw" / NAME
    write_raw(dataset, folder)
    return folder


def test_as_torchvision_reads_it(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    from torchvision.datasets import STL10

    class Unchecked(STL10):  # type: ignore[misc]
        def _check_integrity(self) -> bool:
            return True

    manifest = prepare(NAME, dataset, tmp_path)
    data = load(NAME, tmp_path)
    assert data.labels is not None
    for split in SPLITS:
        theirs = Unchecked(raw, split=split)
        part = manifest.split(split)
        assert np.array_equal(data.images[part], theirs.data)
        # torchvision has -1 for images without a label as well
        labels = np.full(SPLITS[split], -1) if theirs.labels is None else theirs.labels
        assert np.array_equal(data.labels[part], labels)
    assert set(data.labels[manifest.split("train")]) == set(range(5))
    assert manifest.folds is not None and len(manifest.folds) == 10
    for number, fold in enumerate(manifest.folds):
        theirs = Unchecked(raw, split="train", folds=number)
        assert np.array_equal(data.images[list(fold)], theirs.data)
        assert np.array_equal(data.labels[list(fold)], theirs.labels)
    assert tuple((raw / FOLDER / "class_names.txt").read_text().split()) == manifest.classes


def test_columns_come_first(dataset: Dataset, raw: Path) -> None:
    batch = next(iter(stl10.read(raw, dataset)))
    content = (raw / FOLDER / "train_X.bin").read_bytes()
    # the second byte of the file is the pixel below the first one
    assert content[1] == batch.images[0, 0, 1, 0]
    assert content[96] == batch.images[0, 0, 0, 1]
    assert content[96 * 96] == batch.images[0, 1, 0, 0]


def test_images_come_in_pieces(
    dataset: Dataset, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = list(stl10.read(raw, dataset))
    monkeypatch.setattr(stl10, "CHUNK", 6)
    pieces = list(stl10.read(raw, dataset))
    assert [len(piece.images) for piece in pieces] == [6] * 8 + [2] + [6, 1] + [6, 5]
    for part in ("images", "labels"):
        joined, expected = (
            np.concatenate([getattr(batch, part) for batch in batches if batch.labels is not None])
            for batches in (pieces, arrays)
        )
        assert np.array_equal(joined, expected)
    assert [batch.labels is None for batch in arrays] == [False, True, False]


def test_folds_are_places_in_the_arrays(raw: Path, dataset: Dataset) -> None:
    later = Dataset.model_validate(
        dataset.model_dump() | {"splits": {"unlabeled": 7, "train": 50, "test": 11}}
    )
    first, moved = stl10.folds(raw, dataset), stl10.folds(raw, later)
    assert [[index + 7 for index in fold] for fold in first] == [list(fold) for fold in moved]


def test_folder_without_the_unlabelled_images(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    (raw / FOLDER / "unlabeled_X.bin").unlink()
    with pytest.raises(DataError, match=r"unlabeled_X.bin: missing\n  remedy: `iic download"):
        prepare(NAME, dataset, tmp_path)
    with pytest.raises(DataError, match=r"unlabeled_X.bin: cannot be read: No such file") as caught:
        list(stl10.read(raw, dataset))
    assert f"iic download --dataset {NAME}" in str(caught.value)


def real_like(dataset: Dataset, archive: Path) -> Dataset:
    """An entry such as the real one's: an archive with members known by md5."""
    content = archive.read_bytes()
    members = [
        {
            "name": file.name,
            "size": file.size,
            "md5": hashlib.md5((archive.parent / file.name).read_bytes()).hexdigest(),
        }
        for file in dataset.files
    ]
    return Dataset.model_validate(
        dataset.model_dump()
        | {
            "generator": None,
            "mirrors": ("http://127.0.0.1:9/",),
            "files": (
                {
                    "name": archive.name,
                    "size": len(content),
                    "md5": hashlib.md5(content).hexdigest(),
                    "members": tuple(members),
                },
            ),
        }
    )


@pytest.mark.parametrize("complete", [True, False])
def test_archive(dataset: Dataset, tmp_path: Path, complete: bool) -> None:
    mirror = tmp_path / "mirror"
    write_raw(dataset, mirror / NAME)
    archive = mirror / NAME / "stl10_binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in dataset.files:
            if complete or "unlabeled" not in file.name:
                tar.add(mirror / NAME / file.name, file.name)
    entry = real_like(dataset, archive)
    if not complete:
        with pytest.raises(
            DataError,
            match=r"stl10_binary.tar.gz: stl10_binary/unlabeled_X.bin: is not in the arch",
        ):
            download(entry, NAME, tmp_path, str(mirror))
        return
    download(entry, NAME, tmp_path, str(mirror))
    assert prepare(NAME, entry, tmp_path).count == sum(SPLITS.values())


def test_mirror_without_the_unlabelled_images(dataset: Dataset, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    write_raw(dataset, mirror / NAME)
    archive = mirror / NAME / "stl10_binary.tar.gz"
    archive.write_bytes(b"gone")
    entry = real_like(dataset, archive)
    archive.unlink()
    shutil.move(mirror / NAME / FOLDER / "unlabeled_X.bin", tmp_path / "elsewhere")
    with pytest.raises(DownloadError, match=r"unlabeled_X.bin: No such file"):
        download(entry, NAME, tmp_path, str(mirror))


@pytest.mark.parametrize("file", ["train_X.bin", "unlabeled_X.bin", "test_y.bin"])
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_length(dataset: Dataset, raw: Path, file: str, change: int) -> None:
    path = raw / FOLDER / file
    content = path.read_bytes()
    path.write_bytes(content[:-1] if change < 0 else content + b"0")
    problem = rf"{file}: {len(content) + change:,} bytes, expected {len(content):,}"
    with pytest.raises(DataError, match=problem):
        list(stl10.read(raw, dataset))


@pytest.mark.parametrize("label", [0, 6, 255])
def test_label_out_of_range(dataset: Dataset, raw: Path, label: int) -> None:
    path = raw / FOLDER / "test_y.bin"
    content = bytearray(path.read_bytes())
    content[3] = label
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"test_y.bin: label {label} at index 3, expected 1 to 5"):
        list(stl10.read(raw, dataset))


def test_other_classes(dataset: Dataset, raw: Path) -> None:
    path = raw / FOLDER / "class_names.txt"
    path.write_text("\n".join(reversed(dataset.classes)))
    with pytest.raises(DataError, match=r"class_names.txt: names pluses, .*expected flat_stripes"):
        list(stl10.read(raw, dataset))
    path.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match=r"class_names.txt: byte 0 is no ASCII"):
        list(stl10.read(raw, dataset))


def test_unknown_split(dataset: Dataset, raw: Path) -> None:
    wrong = Dataset.model_validate(dataset.model_dump() | {"splits": {"validation": 3}})
    with pytest.raises(DataError, match="'validation' is none of train, test, unlabeled"):
        list(stl10.read(raw, wrong))
    with pytest.raises(DataError, match=r"stl10_standin.splits: no 'train'"):
        stl10.folds(raw, wrong)


ROW = " ".join(map(str, range(10)))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([ROW] * 9, "9 lines, expected 10"),
        ([ROW] * 11, "11 lines, expected 10"),
        ([], "0 lines, expected 10"),
        ([*[ROW] * 9, f"{ROW} 10"], "line 10: 11 numbers, expected 10"),
        ([ROW.replace("7", "50"), *[ROW] * 9], "line 1: '50' is no number from 0 to 49"),
        ([ROW.replace("7", "-7"), *[ROW] * 9], "line 1: '-7' is no number"),
        ([ROW, ROW.replace("7", "7.5"), *[ROW] * 8], "line 2: '7.5' is no number"),
        ([ROW, ROW, ROW.replace("7", "8"), *[ROW] * 7], "line 3: a number stands there twice"),
    ],
)
def test_wrong_folds(dataset: Dataset, raw: Path, lines: list[str], problem: str) -> None:
    path = raw / FOLDER / "fold_indices.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=problem) as caught:
        stl10.folds(raw, dataset)
    assert str(path) in str(caught.value) and "remedy" in str(caught.value)


def test_folds_are_checked_before_the_images(
    dataset: Dataset, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw / FOLDER / "fold_indices.txt").unlink()
    with pytest.raises(DataError, match=r"fold_indices.txt: missing"):
        prepare(NAME, dataset, tmp_path)
    with pytest.raises(DataError, match=r"fold_indices.txt: cannot be read"):
        stl10.folds(raw, dataset)
    write_raw(dataset, raw)
    # a reader that checks less is checked itself
    monkeypatch.setattr(stl10, "folds", lambda raw, dataset: ((0, 1), (2, 50)))
    with pytest.raises(DataError, match=r"wrong folds: fold 1 has images outside 0 to 49"):
        prepare(NAME, dataset, tmp_path)
    assert not (tmp_path / "data/prepared").exists()
