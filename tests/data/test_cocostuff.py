"""COCO-Stuff: classes, padding, colours, kinds of files, and the order of the pieces."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iic.data.coco_classes import STUFF, THINGS, class_codes, superclasses
from iic.data.cocostuff import open_maps
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
    jpg,
    number,
    png,
    raw_files,
    tiny,
    write_raw,
)


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


def test_pieces_follow_the_splits(tmp_path: Path) -> None:
    dataset = write_raw(tmp_path, raw_files(tiny(train=70)))
    reader = open_maps(tmp_path / "data/raw/cocostuff3", dataset)
    assert [piece.key for piece in reader.pieces] == ["train 0-63", "train 64-69", "val 0-2"]
    assert reader.pieces[2].places.tolist() == [70, 71, 72]
    maps = reader.read(reader.pieces[2])
    assert maps.images[:, 0, 9, 9].tolist() == [100, 101, 102]
