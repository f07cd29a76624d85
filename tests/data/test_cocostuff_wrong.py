"""COCO-Stuff's files damaged, missing or not what the catalogue says: each a clear error."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from iic.data.cocostuff import read_list
from iic.data.errors import DataError
from iic.data.prepare_maps import prepare_maps
from tests.data.coco_helpers import (
    Files,
    jpg,
    number,
    png,
    raw_files,
    scene,
    tiny,
    write_raw,
)


def error_of(root: Path, files: Files, **changes: object) -> str:
    """The error of preparing `files`."""
    dataset = write_raw(root, raw_files(files), **changes)
    with pytest.raises(DataError) as caught:
        prepare_maps("cocostuff3", dataset, root, workers=2)
    assert not (root / "data/prepared/cocostuff3/data.json").exists()
    assert "remedy" in str(caught.value)
    return str(caught.value)


def change(name: str, content: bytes | None) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        if content is None:
            del files[name]
        else:
            files[name] = content

    return apply


IMAGE, LABELS = scene(3)
BAD = {
    "an image without its labels": (
        change("train2017/000000000003.png", None),
        "curated/train2017/list.txt: line 4: there is no train2017/000000000003.png in "
        "stuffthingmaps_trainval2017.zip (1 of 5 are missing there)",
    ),
    "a list that names a missing image": (
        change("val2017/000000000101.jpg", None),
        "curated/val2017/list.txt: line 2: there is no val2017/000000000101.jpg in val2017.zip",
    ),
    "a truncated jpg": (
        change("train2017/000000000003.jpg", IMAGE[:-12]),
        "train2017.zip: train2017/000000000003.jpg: cut or no JPEG image: image file is truncated",
    ),
    "no jpg at all": (
        change("train2017/000000000003.jpg", b"<html>"),
        "train2017.zip: train2017/000000000003.jpg: cut or no JPEG image",
    ),
    "a truncated png": (
        change("train2017/000000000003.png", LABELS[:-30]),
        "stuffthingmaps_trainval2017.zip: train2017/000000000003.png: cut or no PNG image",
    ),
    "labels of another size": (
        change("train2017/000000000003.png", scene(3, height=45)[1]),
        "train2017/000000000003.png: labels of 45x60 pixels for an image of 40x60",
    ),
    "a label that does not exist": (
        change("train2017/000000000003.png", png(np.full((40, 60), 182, np.uint8))),
        "train2017/000000000003.png: label 182 in row 0, column 0 (2,400 such pixels), "
        "expected 0 to 181 or 255",
    ),
    "labels in colour": (
        change("train2017/000000000003.png", png(np.zeros((40, 60, 3), np.uint8))),
        "train2017/000000000003.png: of kind RGB, expected one byte a pixel",
    ),
    "a jpg of 16 bits' worth in png's clothes": (
        change("train2017/000000000003.jpg", png(np.zeros((40, 60), np.uint16))),
        "train2017/000000000003.jpg: of kind I;16, expected RGB, L, CMYK, YCbCr",
    ),
    "an image larger than the canvas": (
        change("train2017/000000000003.jpg", jpg(np.zeros((80, 60, 3), np.uint8))),
        "000000000003.jpg: 80x60 pixels are 26x20 at scale 0.33, and the canvas has 24x24",
    ),
    "a line that is no number": (
        change("curated/val2017/list.txt", b"000000000100\n101\n000000000102\n"),
        "curated/val2017/list.txt: line 2: '101' is no image number of twelve digits",
    ),
    "an image twice": (
        change("curated/val2017/list.txt", b"000000000100\n000000000101\n000000000100\n"),
        "curated/val2017/list.txt: line 3: 000000000100 stands in line 1 already",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(tmp_path: Path, case: str) -> None:
    apply, expected = BAD[case]
    files = tiny()
    apply(files)
    if case == "an image larger than the canvas":
        files["train2017/000000000003.png"] = png(np.zeros((80, 60), np.uint8))
    assert expected in error_of(tmp_path, files)


def test_the_same_error_with_any_number_of_threads(tmp_path: Path) -> None:
    files = tiny(train=200)
    for index in (190, 130, 70):
        files[f"train2017/{number(index)}.jpg"] = b"damaged"
    dataset = write_raw(tmp_path, raw_files(files))
    for workers in (1, 4):
        with pytest.raises(DataError, match=r"train2017/000000000070.jpg: cut or no JPEG"):
            prepare_maps("cocostuff3", dataset, tmp_path, workers)


def test_list_of_another_length(tmp_path: Path) -> None:
    text = error_of(tmp_path, tiny(), splits={"train": 6, "val": 3})
    assert "list.txt: 5 images, expected 6 (params/datasets.yaml: cocostuff3.splits.train)" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"classes": ("sky", "person")}, "cocostuff3.classes: 'person' is none of ceiling, floor"),
        ({"maps": None}, "cocostuff3.maps: missing"),
        ({"splits": {"train": 5, "test": 3}}, "test2017.zip: cannot be read: No such file"),
    ],
)
def test_wrong_entry(tmp_path: Path, changes: dict, expected: str) -> None:
    dataset = write_raw(tmp_path, raw_files(tiny()), **changes)
    with pytest.raises(DataError) as caught:
        prepare_maps("cocostuff3", dataset, tmp_path)
    assert expected in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "no archive", "flipped"])
def test_damaged_archive(tmp_path: Path, damage: str) -> None:
    raw = raw_files(tiny())
    archive = bytearray(raw["train2017.zip"])
    if damage == "cut":
        del archive[-200:]
    elif damage == "no archive":
        archive = bytearray(b"<html>please log in</html>")
    else:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            archive[opened.infolist()[1].header_offset + 100] ^= 0xFF
    raw["train2017.zip"] = bytes(archive)
    # the entry knows the damaged archive, as it would know one that nobody has a checksum of
    dataset = write_raw(tmp_path, raw)
    expected = {
        "cut": "train2017.zip: cut or no zip archive",
        "no archive": "train2017.zip: cut or no zip archive",
        "flipped": "train2017.zip: train2017/000000000001.jpg: cut or damaged: Bad CRC-32",
    }[damage]
    with pytest.raises(DataError, match=r"remedy: .*`iic download --dataset cocostuff3`") as caught:
        prepare_maps("cocostuff3", dataset, tmp_path)
    assert expected in str(caught.value)


def test_changed_archive_is_found_before_it_is_opened(tmp_path: Path) -> None:
    dataset = write_raw(tmp_path, raw_files(tiny()))
    path = tmp_path / "data/raw/cocostuff3/val2017.zip"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"val2017\.zip: cut short"):
        prepare_maps("cocostuff3", dataset, tmp_path)


def test_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list.txt: cannot be read.*\n.*iic download --dataset x"):
        read_list(tmp_path / "x/curated/train2017/list.txt")
