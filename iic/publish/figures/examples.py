"""Supplementary Figures 1 and 2: more examples, one column a predicted class, failures last."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from iic.params.runs import Plan
from iic.publish.figures import bars
from iic.publish.figures.predictions import Predictions, load_predictions
from iic.publish.figures.sheet import HEADING, Box, Sheet, readable
from iic.publish.figures.style import PALE, TEXT_WIDTH, Drawn
from iic.records.sources import Sources

ROWS = 6
"""Of rightly predicted images; one row of failures follows."""
LARGEST = 0.72
"""Side of an image in inches, where there are few classes."""
BARS = 0.24
LINE = 0.11
"""Height of a line of a column's title."""
GAP = 0.1
FAILURES = 0.2
FOOT = 0.3
MARGIN = 0.08


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """For each class a random sample of the images that are predicted as it.

    The probability of a class is the sum over its clusters, of which overclustering gives it many.

    Raises:
        FigureError: The scale lacks the run, or the run's files lack something or do not agree.
    """
    predictions = load_predictions(plan, name, root)
    column = (TEXT_WIDTH - 2 * MARGIN) / len(predictions.classes)
    side = min(LARGEST, 0.9 * column)
    pitch = side + BARS + GAP
    titles = [_lines(name, column) for name in predictions.classes]
    top = HEADING + max(map(len, titles)) * LINE + 0.08
    failures = top + ROWS * pitch
    sheet = Sheet(TEXT_WIDTH, failures + FAILURES + pitch + FOOT)
    sheet.heading(
        predictions.heading(plan), stand_in=plan.datasets[predictions.run.dataset].stand_in
    )
    sheet.rule(failures)
    sheet.text(MARGIN, failures + 0.12, "failures, with the true class", color=PALE)
    for label, title in enumerate(titles):
        middle = MARGIN + (label + 0.5) * column
        x = middle - side / 2
        for number, line in enumerate(reversed(title)):
            y = top - 0.05 - number * LINE
            sheet.text(middle, y, line, width=column - 0.03, size=7, weight="bold", ha="center")
        right, wrong = chosen(predictions, label)
        for number, row in enumerate(right):
            _example(sheet, predictions, row, x, top + number * pitch, side)
        for row in wrong:
            y = failures + FAILURES
            _example(sheet, predictions, row, x, y, side)
            truth = readable(predictions.classes[predictions.labels[row]])
            sheet.text(middle, y + side + BARS + 0.13, truth, width=column, ha="center", size=6)
    bars.legend(sheet)
    sources = Sources(scale=plan.scale.name, name=name, series=predictions.series)
    return Drawn(sheet.figure, sources)


def chosen(predictions: Predictions, label: int) -> tuple[list[int], list[int]]:
    """Rows to show of the images that are predicted as a class: right ones, and one failure."""
    members = predictions.predicted == label
    right = predictions.sample(members & predictions.right, ROWS, 2 * label)
    wrong = np.logical_not(predictions.right)
    return right, predictions.sample(members & wrong, 1, 2 * label + 1)


def _lines(name: str, column: float) -> list[str]:
    """The name of a class, in two lines where the column is narrow."""
    if column > 1:
        return [readable(name)]
    return textwrap.wrap(readable(name), 12, max_lines=2, placeholder="…")


def _example(
    sheet: Sheet, predictions: Predictions, row: int, x: float, y: float, side: float
) -> None:
    sheet.image(predictions.image(row), Box(x, y, side, side))
    bars.upright(sheet, predictions, row, Box(x, y + side + 0.02, side, BARS - 0.04))
