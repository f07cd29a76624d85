from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iic.data.coco_classes import STUFF, THINGS, class_codes, superclasses
from iic.data.cocostuff import open_maps, read_list
from iic.data.errors import DataError
from iic.data.load_maps import load_maps
from iic.data.maps import IGNORED, UNLABELLED
from iic.data.prepare_maps import prepare_maps
from iic.params.datasets import load_catalogue
from tests.data.coco_helpers import (
    CATALOGUE,
    GROUND,
    NONE,
    PERSON,
    PLANT,
    SKY,
    WALL,
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


def test_every_fine_class_has_one_superclass() -> None:
    members = [value for group in (*THINGS.values(), *STUFF.values()) for value in group]
    assert sorted(members) == list(range(182))
    assert (len(THINGS), len(STUFF)) == (12, 15)
    table = superclasses()
    # things come first: 0 to 90 are things, 91 to 181 stuff
    assert set(table[:91]) == set(range(12)) and set(table[91:]) == set(range(12, 27))
    assert [int(table[one]) for one in (PERSON, SKY, PLANT, GROUND, WALL)] == [9, 23, 22, 21, 18]


def test_codes_of_the_datasets() -> None:
    catalogue = load_catalogue(CATALOGUE)
    three = class_codes(catalogue["cocostuff3"].classes)
    values = [SKY, PLANT, GROUND, WALL, PERSON, NONE, 200]
    assert three[values].tolist() == [0, 1, 2, IGNORED, IGNORED, UNLABELLED, IGNORED]
    fifteen = class_codes(catalogue["cocostuff15"].classes)
    stuff = np.arange(91, 182)
    assert np.array_equal(fifteen[stuff] + 12, superclasses()[stuff])
    assert set(fifteen[:91]) == {IGNORED} and fifteen[NONE] == UNLABELLED


def test_images_without_padding_fill_the_corner(tmp_path: Path) -> None:
    dataset = write_raw(
        tmp_path,
        raw_files(tiny()),
        image={"channels": 3, "height": 50, "width": 64},
        maps={"scale": 1.0, "least_side": 10},
    )
    prepare_maps("cocostuff3", dataset, tmp_path)
    data = load_maps("cocostuff3", tmp_path)
    assert data.names == tuple(
        f"{split}/{number(one)}"
        for split, numbers in (("train2017", range(5)), ("val2017", range(100, 103)))
        for one in numbers
    )
    assert data.sizes.tolist() == [[40, 60]] * 8
    assert data.indices(["val"]).tolist() == [5, 6, 7]
    for place, brightness in enumerate((0, 1, 2, 3, 4, 100, 101, 102)):
        assert np.all(data.images[place, :, :40, :60] == brightness)
        # a class each for eight rows, then a class that does not count, then no label
        column = np.repeat([0, 1, 2, IGNORED, UNLABELLED], 8)
        assert np.all(data.labels[place, :40, :60] == column[:, None])
    assert not data.images[:, :, 40:].any() and not data.images[:, :, :, 60:].any()
    assert np.all(data.labels[:, 40:] == IGNORED) and np.all(data.labels[:, :, 60:] == IGNORED)


def test_small_images_are_padded_around_the_middle(tmp_path: Path) -> None:
    files = tiny()
    files["train2017/000000000002.jpg"] = jpg(np.full((40, 60, 3), 200, np.uint8))
    dataset = write_raw(tmp_path, raw_files(files))
    prepare_maps("cocostuff3", dataset, tmp_path)
    data = load_maps("cocostuff3", tmp_path)
    # 40x60 at 0.33 is 13x20; 13 rows in 18: three above, two below
    assert data.sizes.tolist() == [[18, 20]] * 8
    assert np.all(data.images[2, :, 3:16, :20] == 200)
    assert not data.images[2, :, :3].any() and not data.images[2, :, 16:].any()
    assert np.all(data.labels[2, :3] == IGNORED) and np.all(data.labels[2, 16:] == IGNORED)
    assert np.all(data.labels[2, 3, :20] == 0) and np.all(data.labels[2, 15, :20] == UNLABELLED)


def test_red_stays_red(tmp_path: Path) -> None:
    files = tiny()
    red = np.zeros((40, 60, 3), np.uint8)
    red[:, :, 0] = 250
    files["train2017/000000000000.jpg"] = jpg(red)
    dataset = write_raw(tmp_path, raw_files(files))
    prepare_maps("cocostuff3", dataset, tmp_path)
    middle = load_maps("cocostuff3", tmp_path).images[0, :, 9, 9]
    assert middle[0] > 240 and middle[1:].max() < 10


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_kinds_of_jpg(tmp_path: Path, mode: str) -> None:
    files = tiny()
    files["train2017/000000000001.jpg"] = jpg(np.full((40, 60, 3), 90, np.uint8), mode)
    dataset = write_raw(tmp_path, raw_files(files))
    prepare_maps("cocostuff3", dataset, tmp_path)
    middle = load_maps("cocostuff3", tmp_path).images[1, :, 9, 9].astype(int)
    assert np.abs(middle - 90).max() <= 2


def test_palette_png_means_its_numbers(tmp_path: Path) -> None:
    files = tiny()
    labels = np.full((40, 60), GROUND, np.uint8)
    image = Image.fromarray(labels).convert("P")
    image.putpalette([255 - value // 3 for value in range(768)])
    image.putdata(labels.ravel().tolist())
    written = io.BytesIO()
    image.save(written, "PNG")
    files["train2017/000000000001.png"] = written.getvalue()
    dataset = write_raw(tmp_path, raw_files(files))
    prepare_maps("cocostuff3", dataset, tmp_path)
    assert np.all(load_maps("cocostuff3", tmp_path).labels[1, 3:16, :20] == 2)


def test_images_without_a_class_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = tiny()
    for index, value in ((1, WALL), (4, NONE)):
        files[f"train2017/{number(index)}.png"] = png(np.full((40, 60), value, np.uint8))
    dataset = write_raw(tmp_path, raw_files(files))
    with caplog.at_level("INFO"):
        manifest = prepare_maps("cocostuff3", dataset, tmp_path)
    assert manifest.empty == (1, 4)
    assert "2 of 8 images have no pixel of a class, the first of them train2017/000000000001" in (
        caplog.text
    )
    labels = load_maps("cocostuff3", tmp_path).labels
    assert set(np.unique(labels[1])) == {IGNORED}
    assert set(np.unique(labels[4])) == {UNLABELLED, IGNORED}


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
    with pytest.raises(DataError, match="remedy: `iic download --dataset cocostuff3`") as caught:
        prepare_maps("cocostuff3", dataset, tmp_path)
    assert expected in str(caught.value)


def test_changed_archive_is_found_before_it_is_opened(tmp_path: Path) -> None:
    dataset = write_raw(tmp_path, raw_files(tiny()))
    path = tmp_path / "data/raw/cocostuff3/val2017.zip"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"val2017\.zip: cut short"):
        prepare_maps("cocostuff3", dataset, tmp_path)


def test_pieces_follow_the_splits(tmp_path: Path) -> None:
    dataset = write_raw(tmp_path, raw_files(tiny(train=70)))
    reader = open_maps(tmp_path / "data/raw/cocostuff3", dataset)
    assert [piece.key for piece in reader.pieces] == ["train 0-63", "train 64-69", "val 0-2"]
    assert reader.pieces[2].places.tolist() == [70, 71, 72]
    maps = reader.read(reader.pieces[2])
    assert maps.images[:, 0, 9, 9].tolist() == [100, 101, 102]


def test_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list.txt: cannot be read.*\n.*iic download --dataset x"):
        read_list(tmp_path / "x/curated/train2017/list.txt")
