"""The meaning of colours: patches with words, in as many lines as they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iic.publish.figures.palettes import BLACK, RGB, WHITE, palette, web
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.sheet import Box, Sheet, readable, text_width
from iic.publish.figures.style import INK

LINE = 0.19
"""Height of a line."""
PATCH = 0.11
SIZE = 7.0
"""Points."""
GAP = 0.16
"""Between one entry and the next."""
JOINED = {"roads_cars": "roads and cars", "buildings_clutter": "buildings and clutter"}
"""Classes of Potsdam-3, which are two of Potsdam's each, as words."""


@dataclass(frozen=True)
class Key:
    """A colour and what it stands for."""

    colour: RGB
    text: str


def class_keys(segmentation: Segmentation, *, scores: bool, masked: bool = True) -> list[Key]:
    """The classes of a segmentation, with the intersection over union of each.

    Args:
        segmentation: The segmentations of one run.
        scores: Whether to give the intersection over union on all images that are scored.
        masked: Whether black is explained.
    """
    of_class = segmentation.of.scores.classes
    keys = []
    for position, (name, colour) in enumerate(
        zip(segmentation.classes, palette(segmentation.classes), strict=True)
    ):
        text = words(name)
        iou = of_class[position].iou if of_class else None
        if scores and iou is not None:
            text += f", IoU {iou:.1f} %"
        keys.append(Key(colour, text))
    if (segmentation.of.mapping < 0).any():
        keys.append(Key(WHITE, "cluster without class"))
    return [*keys, Key(BLACK, "not scored")] if masked else keys


def words(name: str) -> str:
    """The name of a class as words."""
    return JOINED.get(name) or readable(name)


def lines(keys: Sequence[Key], width: float) -> list[list[Key]]:
    """The entries of each line of at most `width` inches."""
    rows: list[list[Key]] = [[]]
    left = width
    for key in keys:
        need = _width(key)
        if need > left and rows[-1]:
            rows.append([])
            left = width
        rows[-1].append(key)
        left -= need + GAP
    return rows


def height(keys: Sequence[Key], width: float) -> float:
    """Inches that the entries need."""
    return LINE * len(lines(keys, width))


def draw_keys(sheet: Sheet, keys: Sequence[Key], x: float, y: float, width: float) -> None:
    """Draw the entries below `y`, from `x` on."""
    for number, of_line in enumerate(lines(keys, width)):
        left, middle = x, y + (number + 0.5) * LINE
        for key in of_line:
            sheet.rectangle(
                Box(left, middle - PATCH / 2, PATCH, PATCH),
                facecolor=web(key.colour),
                edgecolor=INK,
                linewidth=0.4,
            )
            sheet.text(left + PATCH + 0.04, middle, key.text, size=SIZE, va="center_baseline")
            left += _width(key) + GAP


def _width(key: Key) -> float:
    return PATCH + 0.04 + text_width(key.text, SIZE)
