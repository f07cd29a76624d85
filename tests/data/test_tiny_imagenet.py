"""Tiny ImageNet's archive: what is read of it, and what is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iic.data.errors import DataError
from iic.data.standin.content import content
from iic.data.tiny_imagenet import ARCHIVE, FOLDER, read
from iic.params.datasets import Dataset
from tests.data.standin_helpers import CATALOGUE, tiny

Members = dict[str, bytes]
DATASET = tiny(
    "tiny_imagenet_standin", splits={"train": 10, "val": 7},
    image={"channels": 3, "height": 16, "width": 16},
)  # fmt: skip
VAL = f"{FOLDER}/val/val_annotations.txt"
TRAIN = f"{FOLDER}/train/discs/images"


def members() -> Members:
    with zipfile.ZipFile(io.BytesIO(content(ARCHIVE, DATASET))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(raw: Path, files: Members) -> None:
    with zipfile.ZipFile(raw / ARCHIVE, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def jpg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def test_images_and_labels_in_the_order_of_classes_and_numbers(tmp_path: Path) -> None:
    files = members()
    # in any order in the archive, ten after nine, one grey as some of the official ones are
    names = [name for name in files if name.startswith(TRAIN)]
    grey = Image.fromarray(np.full((16, 16), 77, np.uint8))
    files[names[0]] = jpg(grey)
    write(tmp_path, dict(sorted(files.items(), reverse=True)))
    batches = list(read(tmp_path, DATASET))
    assert [batch.images.shape for batch in batches] == [(10, 3, 16, 16), (7, 3, 16, 16)]
    assert batches[0].labels is not None and batches[1].labels is not None
    assert batches[0].labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (batches[0].images[4] == 77).all()
    second = np.asarray(Image.open(io.BytesIO(files[names[1]]))).transpose(2, 0, 1)
    np.testing.assert_array_equal(batches[0].images[5], second)
    annotated = [line.split("\t")[1] for line in files[VAL].decode().splitlines()]
    assert batches[1].labels.tolist() == [DATASET.classes.index(name) for name in annotated]


def test_the_catalogue_has_the_official_archive() -> None:
    entry = CATALOGUE["tiny_imagenet"]
    assert len(entry.classes) == 200 and list(entry.classes) == sorted(entry.classes)
    assert dict(entry.splits) == {"train": 100_000, "val": 10_000}
    assert entry.files[0].checksum == "md5:90528d7ca1a48142e341f4ef8d21d0de"
    assert CATALOGUE["tiny_imagenet_standin"].files[0].name == entry.files[0].name == ARCHIVE


def changed(name: str, data: bytes) -> Callable[[Members], Members]:
    return lambda files: files | {name: data}


def without(name: str) -> Callable[[Members], Members]:
    return lambda files: {key: value for key, value in files.items() if key != name}


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Members], Members]:
    """Other annotations."""
    return lambda files: files | {VAL: b"".join(change(files[VAL].splitlines(keepends=True)))}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without(f"{FOLDER}/wnids.txt"), r"holds no tiny-imagenet-200/wnids\.txt"),
        (changed(f"{FOLDER}/wnids.txt", b"discs\ndogs\n"), r"not the 5 classes .*such as"),
        (without(VAL), r"holds no .*val_annotations\.txt"),
        (lines(lambda rows: rows[:-1]), r"no label of .*val_6\.JPEG \(1 of 7 images have none\)"),
        (lines(lambda rows: [*rows, rows[0]]), r"line 8: val_0\.JPEG stands there twice"),
        (lines(lambda rows: [*rows, b"val_9.JPEG\tdiscs\n"]), r"line 8: there is no .*val_9\.JPEG"),
        (lines(lambda rows: [b"val_0.JPEG\tdogs\n", *rows[1:]]), r"line 1: 'dogs' is no class"),
        (without(f"{TRAIN}/discs_1.JPEG"), r"9 images of train, expected 10 .*splits\.train"),
        (changed(f"{FOLDER}/train/dogs/images/dogs_0.JPEG", b""), r"'dogs' is no class"),
        (changed(f"{TRAIN}/discs.JPEG", b""), r"no name of an image, such as val_17\.JPEG"),
        (changed(f"{TRAIN}/discs_1.JPEG", b"x"), r"discs_1\.JPEG: cut or no JPEG image"),
        (
            changed(f"{TRAIN}/discs_1.JPEG", jpg(Image.new("RGB", (16, 8)))),
            r"discs_1\.JPEG: 8x16 pixels, expected 16x16",
        ),
    ],
)
def test_what_is_refused(
    tmp_path: Path, change: Callable[[Members], Members], problem: str
) -> None:
    write(tmp_path, change(members()))
    with pytest.raises(DataError, match=problem) as caught:
        list(read(tmp_path, DATASET))
    assert str(tmp_path) in str(caught.value)


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    whole = content(ARCHIVE, DATASET)
    (tmp_path / ARCHIVE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut or no zip archive"):
        list(read(tmp_path, DATASET))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": ("discs", "dogs")}, "'dogs' is none"),
        ({"splits": {"train": 11, "val": 1}}, "11 training images of 5 classes"),
    ],
)
def test_a_stand_in_that_cannot_be_written(changes: dict[str, object], problem: str) -> None:
    dataset = Dataset.model_validate(DATASET.model_dump() | changes)
    with pytest.raises(DataError, match=problem):
        content(ARCHIVE, dataset)
