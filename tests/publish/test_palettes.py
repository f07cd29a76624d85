from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from iic.data.coco_classes import STUFF
from iic.publish.figures.palettes import (
    AERIAL,
    BLACK,
    MASKED,
    OUTDOORS,
    PAPER,
    WHITE,
    paint,
    palette,
    web,
)
from iic.publish.figures.style import FigureError

# Machado, Oliveira and Fernandes (2009): protanopia and deuteranopia, on linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(colour: tuple[int, int, int], seen: np.ndarray) -> np.ndarray:
    """CIE Lab (D65) of a colour as it is seen."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen @ linear, 0, 1) / (TO_XYZ @ np.ones(3))
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_papers_colours() -> None:
    assert palette(("roads_cars", "buildings_clutter", "vegetation")) == [
        (175, 28, 12), (111, 138, 155), (81, 188, 0),
    ]  # fmt: skip
    assert palette(("sky", "plant", "ground")) == [(39, 159, 216), (7, 130, 42), (82, 91, 96)]


@pytest.mark.parametrize("seen", DEFICIENCIES)
@pytest.mark.parametrize(
    "classes",
    [tuple(STUFF), tuple(AERIAL), ("sky", "plant", "ground"), tuple(PAPER)[:3]],
    ids=["15", "6", "outdoors", "aerial"],
)
def test_the_colour_blind_tell_classes_apart(classes: tuple[str, ...], seen: str) -> None:
    # Potsdam-3's are the paper's, and no masked pixel is beside them
    all_of_them = palette(classes) + ([] if "roads_cars" in classes else [BLACK, WHITE])
    views = [lab(colour, DEFICIENCIES[seen]) for colour in all_of_them]
    assert min(np.linalg.norm(a - b) for a, b in combinations(views, 2)) > 20


def test_every_superclass_of_stuff_has_a_colour_of_its_own() -> None:
    assert set(STUFF) == {*OUTDOORS, "sky", "plant", "ground"}
    assert len(set(palette(tuple(STUFF)))) == 15


def test_other_names_take_colours_that_are_free() -> None:
    colours = palette(("sky", "swamp", "water", "dune"))
    assert len(set(colours)) == 4
    assert colours[0] == PAPER["sky"] and colours[2] == OUTDOORS["water"]
    with pytest.raises(FigureError, match=r"13 classes, but .* 12 more\n  remedy: name a colour"):
        palette(tuple(f"c{number}" for number in range(13)))


def test_maps_are_painted_by_class() -> None:
    classes = np.array([[0, 2], [-1, MASKED]], dtype=np.int16)
    shown = paint(classes, palette(("sky", "plant", "ground")))
    assert shown.shape == (3, 2, 2) and shown.dtype == np.uint8
    assert shown[:, 0, 0].tolist() == [39, 159, 216]
    assert shown[:, 0, 1].tolist() == [82, 91, 96]
    assert tuple(shown[:, 1, 0]) == WHITE and tuple(shown[:, 1, 1]) == BLACK
    assert web((7, 130, 42)) == "#07822a"
