"""Bars of the probabilities of an image's classes, as in the paper's Figure 5.

The true class is green, a predicted class that is not the true one red, all others blue. Hatching,
weight of the outline and lightness tell them apart without colour as well.
"""

from __future__ import annotations

from typing import Any, Literal

from matplotlib.patches import Patch

from iic.publish.figures.predictions import Predictions
from iic.publish.figures.sheet import SMALL, Box, Sheet, readable, text_width
from iic.publish.figures.style import INK, OTHER, PALE, TRUE, WRONG

Kind = Literal["true class", "wrong prediction", "other classes"]

STYLES: dict[Kind, dict[str, Any]] = {
    "true class": {"facecolor": TRUE, "edgecolor": INK, "linewidth": 0.7},
    "wrong prediction": {
        "facecolor": "white",
        "edgecolor": WRONG,
        "linewidth": 0.7,
        "hatch": "//////",
    },
    "other classes": {"facecolor": OTHER, "edgecolor": "none", "linewidth": 0},
}
NAME = 6.0
"""Points: the name of a class beside its bar."""
FILL = 0.78
"""Share of its room that a bar takes."""


def kinds(predictions: Predictions, row: int) -> list[Kind]:
    """The kind of bar of each class for one image."""
    bars: list[Kind] = ["other classes"] * len(predictions.classes)
    predicted = int(predictions.predicted[row])
    if predicted >= 0:
        bars[predicted] = "wrong prediction"
    bars[int(predictions.labels[row])] = "true class"
    return bars


def upright(sheet: Sheet, predictions: Predictions, row: int, box: Box) -> None:
    """One bar a class from left to right, as high as the box for probability 1."""
    step = box.width / len(predictions.classes)
    bottom = box.y + box.height
    heights = predictions.class_probabilities(row) * box.height
    for position, (height, kind) in enumerate(zip(heights, kinds(predictions, row), strict=True)):
        left = box.x + (position + (1 - FILL) / 2) * step
        bar = Box(left, bottom - height, FILL * step, height)
        sheet.rectangle(bar, **STYLES[kind])
        if kind == "true class":
            # a bar of no height would not tell the true class
            sheet.axes.plot([bar.middle], [bottom + 0.035], marker="^", ms=2.2, color=TRUE)
    sheet.axes.plot([box.x, box.x + box.width], [bottom, bottom], color=PALE, linewidth=0.5)


def lying(sheet: Sheet, predictions: Predictions, row: int, box: Box) -> None:
    """One bar a class from top to bottom, each after the name of the class."""
    step = min(box.height / len(predictions.classes), 0.14)
    names = _names(predictions.classes, box.width)
    length = box.width - names
    left, top = box.x + names, box.y + (box.height - step * len(predictions.classes)) / 2
    shares = predictions.class_probabilities(row)
    for position, (share, kind) in enumerate(zip(shares, kinds(predictions, row), strict=True)):
        y = top + position * step
        bar = Box(left, y + (1 - FILL) / 2 * step, share * length, FILL * step)
        sheet.rectangle(bar, **STYLES[kind])
        sheet.text(
            left - 0.04,
            y + step / 2,
            readable(predictions.classes[position]),
            ha="right",
            va="center_baseline",
            width=names - 0.05,
            size=NAME,
            weight="normal" if kind == "other classes" else "bold",
            color={"true class": TRUE, "wrong prediction": WRONG}.get(kind, INK),
        )
    sheet.axes.plot(
        [left, left], [top, top + step * len(predictions.classes)], color=PALE, linewidth=0.5
    )


def _names(classes: tuple[str, ...], width: float) -> float:
    """Room for the longest name, and at most two thirds of all."""
    longest = max(text_width(readable(name), NAME, "bold") for name in classes)
    return min(longest + 0.06, 0.68 * width)


def legend(sheet: Sheet) -> None:
    """What the three kinds of bar mean, at the foot of the page."""
    sheet.figure.legend(
        [Patch(**style) for style in STYLES.values()],
        [*STYLES],
        loc="lower center",
        ncols=3,
        fontsize=SMALL + 0.5,
        borderaxespad=0.3,
    )
