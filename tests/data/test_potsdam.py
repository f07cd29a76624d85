from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from iic.data import potsdam
from iic.data.aerial import COLOURS
from iic.data.half_scale import halved, halved_labels
from iic.data.load_maps import load_maps
from iic.data.maps import UNLABELLED
from iic.data.prepare_maps import prepare_maps
from iic.data.rescale import bilinear, nearest
from iic.params.datasets import Dataset
from tests.data.potsdam_helpers import (
    NAME,
    PLACES,
    SIDE,
    TILES,
    classes_of,
    entry,
    image_of,
    images,
    labels,
    tif,
    with_checksums,
    write,
)
from tests.data.standin_helpers import CATALOGUE


def read_all(raw: Path, dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image and labels of each tile by its name."""
    reader = potsdam.open_maps(raw, dataset)
    tiles = {}
    for piece in reader.pieces:
        maps = reader.read(piece)
        assert (maps.sizes == SIDE).all()
        for row, index in enumerate(piece.places):
            tiles[reader.names[index]] = (maps.images[row], maps.labels[row])
    assert len(tiles) == len(reader.names) == dataset.count
    return tiles


def test_tiles_row_by_row_at_half_scale(tmp_path: Path) -> None:
    tiles = read_all(write(tmp_path, images(), labels()), entry())
    for position in PLACES:
        whole, classes = image_of(position).astype(int), classes_of(position)
        for number in range(TILES**2):
            image, label = tiles[f"top_potsdam_{position}/{number:03d}"]
            top, left = 2 * SIDE * (number // TILES), 2 * SIDE * (number % TILES)
            for row, column in ((0, 0), (SIDE - 1, 1)):
                y, x = top + 2 * row, left + 2 * column
                four = whole[y : y + 2, x : x + 2].reshape(4, 4)
                assert image[:, row, column].tolist() == ((four.sum(axis=0) + 2) // 4).tolist()
                expected = UNLABELLED if position == "2_13" else classes[y, x]
                assert label[row, column] == expected
    assert set(np.unique(tiles["top_potsdam_2_13/000"][1])) == {UNLABELLED}


def test_half_scale_is_opencv_s() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1030, 34, 4), np.uint8)
    assert np.array_equal(halved(image), bilinear(image, 0.5))
    assert np.array_equal(halved_labels(image[..., 0]), nearest(image[..., 0], 0.5))
    # halves are rounded up, as OpenCV's fixed point does
    assert halved(np.array([[[0], [1]], [[1], [0]]], np.uint8)).item() == 1


def test_three_classes_merge_six(tmp_path: Path) -> None:
    raw = write(tmp_path, images(), labels())
    six = read_all(raw, entry())
    three = read_all(raw, entry("potsdam3"))
    merged = np.array([0, 1, 2, 2, 0, 1])  # roads buildings low_vegetation trees cars clutter
    for name, (image, label) in six.items():
        assert np.array_equal(three[name][0], image)
        if "2_13" not in name:
            assert np.array_equal(three[name][1], merged[label])


def test_classes_in_another_order(tmp_path: Path) -> None:
    raw = write(tmp_path, images(), labels())
    classes = ("cars", "clutter", "trees", "roads", "buildings", "low_vegetation")
    first, other = read_all(raw, entry()), read_all(raw, entry(classes=classes))
    names = CATALOGUE[NAME].classes
    label = other["top_potsdam_7_9/004"][1]
    assert [classes[value] for value in label.flat] == [
        names[value] for value in first["top_potsdam_7_9/004"][1].flat
    ]


@pytest.mark.parametrize("folder", ["", "4_Ortho_RGBIR/4_Ortho_RGBIR/", "any/"])
def test_folder_in_the_archives(tmp_path: Path, folder: str) -> None:
    extra = {f"{folder}top_potsdam_2_10_RGBIR.tfw": b"0.05", f"{folder}readme.txt": b""}
    more = labels(folder) | {f"{folder}top_potsdam_2_13_label.tif": b"later, and not read"}
    tiles = read_all(write(tmp_path, images(folder) | extra, more), entry())
    plain = read_all(write(tmp_path / "plain", images(), labels()), entry())
    assert tiles.keys() == plain.keys()
    assert all(np.array_equal(tiles[name][1], plain[name][1]) for name in tiles)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib"},
        {"compression": "packbits"},
        {"tile": (16, 16)},
        {"rowsperstrip": 5},
        {"planarconfig": "separate"},
        {"extrasamples": ["assocalpha"]},
        {"extrasamples": ["unassalpha"], "byteorder": ">"},
        {"photometric": "minisblack", "planarconfig": "contig"},
    ],
    ids=str,
)
def test_kinds_of_tif(tmp_path: Path, options: dict[str, object]) -> None:
    image = image_of("2_10")
    if "separate" in options.values():
        image = image.transpose(2, 0, 1)
    pictures = images()
    pictures["4_Ortho_RGBIR/top_potsdam_2_10_RGBIR.tif"] = tif(image, **options)
    tiles = read_all(write(tmp_path, pictures, labels()), entry())
    assert np.array_equal(
        tiles["top_potsdam_2_10/000"][0], halved(image_of("2_10"))[:SIDE, :SIDE].transpose(2, 0, 1)
    )


def test_the_24_images_with_labels() -> None:
    named = "2_10 2_11 2_12 3_10 3_11 3_12 4_10 4_11 4_12 5_10 5_11 5_12".split()
    named += [f"{row}_{column}" for row in (6, 7) for column in range(7, 13)]
    assert {f"top_potsdam_{position}" for position in named} == potsdam.LABELLED
    assert len(named) == 24
    for name in ("potsdam3", "potsdam6"):
        dataset = CATALOGUE[name]
        assert dataset.maps is not None and dataset.maps.tiles == 15
        labelled = dataset.splits["labelled_train"] + dataset.splits["labelled_test"]
        assert (dataset.splits["unlabelled_train"], labelled) == (14 * 225, 24 * 225)


def test_the_division_is_drawn_once_for_all(tmp_path: Path) -> None:
    dataset = entry()
    names = potsdam.open_maps(write(tmp_path, images(), labels()), dataset).names
    unlabelled, train = dataset.splits["unlabelled_train"], dataset.splits["labelled_train"]
    parts = names[:unlabelled], names[unlabelled : unlabelled + train], names[unlabelled + train :]
    assert {name.split("/")[0] for name in parts[0]} == {"top_potsdam_2_13"}
    assert all(list(part) == sorted(part) for part in parts)
    assert max(map(potsdam.rank, parts[2])) < min(map(potsdam.rank, parts[1]))
    # of the real 5,400 tiles: another choice would be another dataset under the same name
    real = sorted(
        (f"{image}/{tile:03d}" for image in potsdam.LABELLED for tile in range(225)),
        key=potsdam.rank,
    )[:855]
    assert hashlib.sha256("\n".join(real).encode()).hexdigest() == DIVISION
    assert len({name.split("/")[0] for name in real}) == 24


DIVISION = "b3233d4862615e4acd9de5e82c050454d7c404c7760be097e3fbb542c7c22b4c"


def test_prepared(tmp_path: Path) -> None:
    raw = write(tmp_path, images(), labels())
    dataset = with_checksums(entry(), raw)
    manifest = prepare_maps(NAME, dataset, tmp_path, workers=2)
    data = load_maps(NAME, tmp_path)
    tiles = read_all(raw, dataset)
    for index, name in enumerate(data.names):
        assert np.array_equal(data.images[index], tiles[name][0])
        assert np.array_equal(data.labels[index], tiles[name][1])
    assert manifest.empty == tuple(range(TILES**2))
    assert [split.name for split in manifest.splits] == list(potsdam.SPLITS)


def test_colours_are_those_of_the_spec() -> None:
    assert list(COLOURS.items()) == [
        ((255, 255, 255), "roads"),
        ((0, 0, 255), "buildings"),
        ((0, 255, 255), "low_vegetation"),
        ((0, 255, 0), "trees"),
        ((255, 255, 0), "cars"),
        ((255, 0, 0), "clutter"),
    ]
    assert tuple(COLOURS.values()) == CATALOGUE["potsdam6"].classes
    assert tuple(potsdam.COARSE) == CATALOGUE["potsdam3"].classes
