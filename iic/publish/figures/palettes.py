"""Colours of the classes of a segmentation, and maps of classes as pictures.

Those of Potsdam-3 and COCO-Stuff-3 are the paper's, as its released renderers have them
(docs/spec/segmentation.md#colours-of-the-pictures). All others were chosen so that the colour-blind
tell any two of a dataset apart, and from black and white.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.matching import UNMATCHED
from iic.publish.figures.style import FigureError

RGB = tuple[int, int, int]

MASKED = -2
"""In a map of classes: a pixel that is not scored."""
BLACK: RGB = (0, 0, 0)
"""Of pixels that are not scored, as in the paper."""
WHITE: RGB = (255, 255, 255)
"""Of pixels whose cluster has no class."""

PAPER: dict[str, RGB] = {
    "roads_cars": (175, 28, 12),
    "buildings_clutter": (111, 138, 155),
    "vegetation": (81, 188, 0),
    "sky": (39, 159, 216),
    "plant": (7, 130, 42),
    "ground": (82, 91, 96),
}
"""Class -> colour in the paper's figures."""
AERIAL: dict[str, RGB] = {
    "roads": (170, 170, 170),
    "buildings": (51, 34, 136),
    "low_vegetation": (204, 221, 102),
    "trees": (17, 119, 51),
    "cars": (230, 130, 20),
    "clutter": (170, 51, 119),
}
"""The six classes of Potsdam, which no figure of the paper shows."""
OUTDOORS: dict[str, RGB] = {
    "ceiling": (197, 206, 250),
    "floor": (80, 55, 39),
    "food": (250, 250, 20),
    "furniture": (79, 74, 130),
    "rawmaterial": (250, 178, 51),
    "textile": (169, 161, 163),
    "wall": (250, 250, 147),
    "window": (220, 206, 164),
    "building": (250, 31, 57),
    "solid": (20, 20, 60),
    "structural": (89, 61, 246),
    "water": (32, 49, 165),
}
"""The classes of COCO-Stuff beside the three of COCO-Stuff-3; in their order for other names."""


def palette(classes: Sequence[str]) -> list[RGB]:
    """Colour of each class; a name that is not known takes one that no other class has.

    Raises:
        FigureError: More classes than colours.
    """
    colours = PAPER | AERIAL | OUTDOORS
    free = [colour for name, colour in OUTDOORS.items() if name not in classes]
    unknown = [name for name in classes if name not in colours]
    if len(unknown) > len(free):
        raise FigureError(
            f"{len(classes)} classes, but there are colours for {len(classes) - len(unknown)} of "
            f"them and {len(free)} more\n  remedy: name a colour for {', '.join(unknown)} in "
            "iic/publish/figures/palettes.py"
        )
    chosen = colours | dict(zip(unknown, free, strict=False))
    return [chosen[name] for name in classes]


def paint(classes: NDArray[np.integer], colours: Sequence[RGB]) -> NDArray[np.uint8]:
    """A map of classes as a picture.

    Args:
        classes: (height, width); `UNMATCHED` is painted white, `MASKED` black.
        colours: Of each class.

    Returns:
        (3, height, width).
    """
    # the two negative codes are the last rows
    assert (MASKED, UNMATCHED) == (-2, -1)
    table = np.asarray([*colours, BLACK, WHITE], dtype=np.uint8)
    return np.ascontiguousarray(table[classes].transpose(2, 0, 1))


def web(colour: RGB) -> str:
    """A colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
