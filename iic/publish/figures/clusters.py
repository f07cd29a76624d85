"""Figure 1: a random sample of the images of each cluster, and a segmented aerial image below it.

In the paper the two are the left and the right half. Here the second stands below the first, since
both need the page's width for their images to be told apart in print. A scale may have one alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iic.params.runs import Plan
from iic.publish.figures.aerial import load_aerial
from iic.publish.figures.chosen import no_run, runs_of
from iic.publish.figures.predictions import Predictions, load_predictions
from iic.publish.figures.sheet import HEADING, Box, Sheet, readable
from iic.publish.figures.style import PALE, TEXT_WIDTH, WRONG, Drawn
from iic.records.sources import Series, Sources

COLUMNS = 5
"""Groups beside each other."""
SIDE = 4
"""Images along each side of a group."""
GAP = 0.1
TITLE = 0.32
MARGIN = 0.08
FOOT = 0.16


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """One group of images for each cluster, in the order of the classes they are mapped to.

    Below, where the scale has a run that segments aerial images, one of these and its prediction.

    Raises:
        FigureError: The scale lacks both runs, or a run's files lack something or do not agree.
    """
    width = TEXT_WIDTH - 2 * MARGIN
    above = load_predictions(plan, name, root) if runs_of(plan, name, maps=False) else None
    segmenting = runs_of(plan, name, maps=True)
    below = load_aerial(plan, segmenting[0], root) if segmenting else None
    if above is None and below is None:
        raise no_run(plan, name)
    first = 0.0 if above is None else _height(above, width)
    second = 0.0 if below is None else below.height(width)
    sheet = Sheet(TEXT_WIDTH, first + second)
    series: list[Series] = []
    if above is not None:
        _clustered(sheet, plan, above, width)
        series += above.series
    if below is not None:
        below.fill(sheet, plan, Box(MARGIN, first, width, second))
        series += below.segmentation.series
    return Drawn(sheet.figure, Sources(scale=plan.scale.name, name=name, series=series))


def _height(predictions: Predictions, width: float) -> float:
    rows = -(-len(predictions.mapping) // COLUMNS)
    return HEADING + rows * _pitch(width) + FOOT


def _clustered(sheet: Sheet, plan: Plan, predictions: Predictions, width: float) -> None:
    """The groups below their heading."""
    sheet.heading(
        predictions.heading(plan), stand_in=plan.datasets[predictions.run.dataset].stand_in
    )
    height = _height(predictions, width) - HEADING - FOOT
    _groups(sheet, predictions, Box(MARGIN, HEADING, width, height))
    foot = "framed: images of another class than the one that the cluster is mapped to"
    sheet.text(MARGIN, HEADING + height + 0.04, foot, color=PALE)


def order(mapping: np.ndarray) -> list[int]:
    """Clusters in the order of their classes, those without class last."""
    return sorted(
        range(len(mapping)), key=lambda cluster: (mapping[cluster] < 0, mapping[cluster], cluster)
    )


def _side(width: float) -> float:
    return (width - (COLUMNS - 1) * GAP) / COLUMNS


def _pitch(width: float) -> float:
    return _side(width) + TITLE + GAP


def _groups(sheet: Sheet, predictions: Predictions, box: Box) -> None:
    side = _side(box.width)
    for position, cluster in enumerate(order(predictions.mapping)):
        corner = (
            box.x + position % COLUMNS * (side + GAP),
            box.y + position // COLUMNS * _pitch(box.width),
        )
        _group(sheet, predictions, cluster, Box(*corner, side, side))


def _group(sheet: Sheet, predictions: Predictions, cluster: int, box: Box) -> None:
    """The sample of one cluster under its class and size; images of other classes are framed."""
    members = predictions.clusters == cluster
    label = int(predictions.mapping[cluster])
    title = readable(predictions.classes[label]) if label >= 0 else "no class"
    sheet.text(box.x, box.y + 0.13, title, width=box.width, size=8, weight="bold")
    number = int(members.sum())
    size = f"cluster {cluster}, {number:,} image{'' if number == 1 else 's'}"
    sheet.text(box.x, box.y + 0.27, size, width=box.width, color=PALE)
    step = box.width / SIDE
    for position, row in enumerate(predictions.sample(members, SIDE * SIDE, cluster)):
        x, y = box.x + position % SIDE * step, box.y + TITLE + position // SIDE * step
        shown = sheet.image(predictions.image(row), Box(x, y, step * 0.96, step * 0.96))
        if not predictions.right[row]:
            sheet.rectangle(shown, facecolor="none", edgecolor=WRONG, linewidth=1.4)
