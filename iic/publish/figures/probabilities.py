"""Figure 5: images beside the probabilities of their classes, failures in the last row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iic.params.runs import Plan
from iic.publish.figures import bars
from iic.publish.figures.predictions import Predictions, load_predictions
from iic.publish.figures.sheet import HEADING, Box, Sheet
from iic.publish.figures.style import PALE, TEXT_WIDTH, Drawn
from iic.records.sources import Sources

COLUMNS, ROWS = 3, 5
"""Of which the last row is failures."""
IMAGE = 0.9
PITCH = 1.04
FAILURES = 0.2
"""Height of the line above the failures."""
FOOT = 0.26
MARGIN = 0.08


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """Images drawn at random: four rows that are predicted rightly, one row that is not.

    Raises:
        FigureError: The scale lacks the run, or the run's files lack something or do not agree.
    """
    predictions = load_predictions(plan, name, root)
    sheet = Sheet(TEXT_WIDTH, HEADING + ROWS * PITCH + FAILURES + FOOT)
    sheet.heading(
        predictions.heading(plan), stand_in=plan.datasets[predictions.run.dataset].stand_in
    )
    right, wrong = chosen(predictions)
    for index, row in enumerate(right):
        _example(sheet, predictions, row, index % COLUMNS, HEADING + index // COLUMNS * PITCH)
    y = HEADING + (ROWS - 1) * PITCH
    sheet.rule(y + 0.03)
    sheet.text(MARGIN, y + 0.14, "failures" if wrong else "failures: none", color=PALE)
    for index, row in enumerate(wrong):
        _example(sheet, predictions, row, index, y + FAILURES)
    bars.legend(sheet)
    sources = Sources(scale=plan.scale.name, name=name, series=predictions.series)
    return Drawn(sheet.figure, sources)


def chosen(predictions: Predictions) -> tuple[list[int], list[int]]:
    """Rows to show: of images that are predicted rightly, and of failures."""
    right = predictions.sample(predictions.right, COLUMNS * (ROWS - 1), 0)
    return right, predictions.sample(np.logical_not(predictions.right), COLUMNS, 1)


def _example(sheet: Sheet, predictions: Predictions, row: int, column: int, y: float) -> None:
    width = (TEXT_WIDTH - 2 * MARGIN) / COLUMNS
    x = MARGIN + column * width
    sheet.image(predictions.image(row), Box(x, y, IMAGE, IMAGE))
    room = Box(x + IMAGE + 0.05, y, width - IMAGE - 0.2, IMAGE)
    bars.lying(sheet, predictions, row, room)
