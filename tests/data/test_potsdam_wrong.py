from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iic.data import potsdam
from iic.data.errors import DataError
from iic.data.maps import Maps
from tests.data.potsdam_helpers import (
    PALETTE,
    WHOLE,
    classes_of,
    entry,
    image_of,
    images,
    labels,
    tif,
    write,
)


def with_image(content: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return images() | {"4_Ortho_RGBIR/top_potsdam_7_9_RGBIR.tif": content}, labels()


def with_labels(content: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return images(), labels() | {"top_potsdam_7_9_label.tif": content}


def coloured(*colour: int) -> bytes:
    painted = PALETTE[classes_of("7_9")]
    painted[5, 3] = painted[9, 0] = colour
    return tif(painted)


WRONG = {
    "colour": (
        with_labels(coloured(252, 255, 0)),
        r"5_Labels_for_participants.zip: top_potsdam_7_9_label.tif: colour \(252, 255, 0\) in row "
        r"5, column 3 is none of ISPRS's six \(2 of 576 pixels.*\n  remedy: .*5_Labels_all.zip",
    ),
    "black": (with_labels(coloured(0, 0, 0)), r"colour \(0, 0, 0\) in row 5"),
    "magenta": (with_labels(coloured(255, 0, 255)), r"colour \(255, 0, 255\) in row 5"),
    "three channels": (
        with_image(tif(image_of("7_9", channels=3))),
        r"4_Ortho_RGBIR.zip: 4_Ortho_RGBIR/top_potsdam_7_9_RGBIR.tif: 3 channels, expected 4",
    ),
    "one channel": (
        with_image(tif(image_of("7_9")[..., 0], photometric="minisblack")),
        "7_9_RGBIR.tif: 1 channel, expected 4",
    ),
    "16 bits": (
        with_image(tif(image_of("7_9").astype(np.uint16))),
        r"7_9_RGBIR.tif: uint16 values of shape \(24, 24, 4\), expected 8 bits",
    ),
    "does not divide": (
        with_image(tif(image_of("7_9", side=WHOLE + 2))),
        r"7_9_RGBIR.tif: 26x26 pixels, but 3 tiles of 4x4 a side at half the scale need 24x24\n"
        r"  remedy: potsdam6.image",
    ),
    "not square": (
        with_image(tif(image_of("7_9")[:-8])),
        "7_9_RGBIR.tif: 16x24 pixels, but 3 tiles of 4x4",
    ),
    "labels of another size": (
        with_labels(tif(PALETTE[classes_of("7_9", WHOLE - 2)])),
        r"7_9_label.tif: 22x22 pixels for an image of 24x24",
    ),
    "labels with four channels": (
        with_labels(tif(image_of("7_9"))),
        r"7_9_label.tif: 4 channels, expected 3 \(red, green, blue\)",
    ),
    "cut in the pixels": (
        with_image(tif(image_of("7_9"))[:-700]),
        r"7_9_RGBIR.tif: cut or no tif image: .*\n  remedy: .*`iic download --dataset potsdam6`",
    ),
    "cut in a strip": (
        with_image(tif(image_of("7_9"), rowsperstrip=4, compression="lzw")[:-300]),
        r"7_9_RGBIR.tif: cut or no tif image",
    ),
    "cut in the header": (with_image(tif(image_of("7_9"))[:40]), "7_9_RGBIR.tif: cut or no tif"),
    "empty": (with_image(b""), "7_9_RGBIR.tif: cut or no tif image"),
    "labels cut": (
        with_labels(coloured(255, 0, 0)[:-100]), r"7_9_label.tif: cut or no tif image"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_file(tmp_path: Path, what: str) -> None:
    files, problem = WRONG[what]
    reader = potsdam.open_maps(write(tmp_path, *files), entry())
    good = [piece for piece in reader.pieces if piece.key != "top_potsdam_7_9"]
    assert all(isinstance(reader.read(piece), Maps) for piece in good)
    (bad,) = (piece for piece in reader.pieces if piece.key == "top_potsdam_7_9")
    with pytest.raises(DataError, match=problem):
        reader.read(bad)


def test_an_image_that_should_have_labels(tmp_path: Path) -> None:
    maps = labels()
    del maps["top_potsdam_7_9_label.tif"]
    raw = write(tmp_path, images(), maps)
    problem = (
        r"5_Labels_for_participants.zip: holds no top_potsdam_7_9_label.tif, the labels of "
        r"4_Ortho_RGBIR/top_potsdam_7_9_RGBIR.tif\n  remedy: .*`iic download --dataset potsdam6`"
    )
    with pytest.raises(DataError, match=problem):
        potsdam.open_maps(raw, entry())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": ("roads", "houses")}, "potsdam6.classes: roads, houses: neither roads, build"),
        ({"splits": {"train": 27}}, "potsdam6.splits: train, expected unlabelled_train"),
        ({"maps": {"scale": 0.5, "least_side": 4}}, "needs a number of tiles and scale 0.5"),
        ({"maps": {"scale": 0.25, "least_side": 4, "tiles": 3}}, "a number of tiles and scale 0.5"),
        (
            {"splits": {"unlabelled_train": 8, "labelled_train": 12, "labelled_test": 7}},
            "3 images give 9 tiles without and 18 with labels, expected 8 and 19",
        ),
    ],
)
def test_wrong_entry(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    raw = write(tmp_path, images(), labels())
    with pytest.raises(DataError, match=problem):
        potsdam.open_maps(raw, entry(**changes))


def test_wrong_archives(tmp_path: Path) -> None:
    raw = write(tmp_path, {"readme.txt": b""}, labels())
    with pytest.raises(DataError, match=r"4_Ortho_RGBIR.zip: holds no top_potsdam_<row>_<column>"):
        potsdam.open_maps(raw, entry())
    (raw / potsdam.LABELS).unlink()
    with pytest.raises(DataError, match=r"5_Labels_for_participants.zip: cannot be read"):
        potsdam.open_maps(raw, entry())
