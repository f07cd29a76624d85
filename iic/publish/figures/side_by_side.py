"""Supplementary Figures 3 and 4: image, prediction and true classes side by side."""

from __future__ import annotations

from pathlib import Path

from iic.params.runs import Plan
from iic.publish.figures.chosen import no_run, runs_of
from iic.publish.figures.legend import class_keys, draw_keys, height
from iic.publish.figures.load_segmentations import load_segmentation
from iic.publish.figures.palettes import paint, palette
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.sheet import HEADING, Box, Sheet
from iic.publish.figures.style import PALE, TEXT_WIDTH, Drawn, FigureError
from iic.records.sources import Sources

COLUMNS, ROWS = 2, 6
"""Shown images beside each other, and below: three pictures each."""
PARTS = ("image", "prediction", "true classes")
GAP = 0.18
"""Between these columns."""
INSIDE = 0.04
TITLES = 0.2
LABEL = 0.17
MARGIN = 0.08


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """Images whose maps were kept and that are scored, evenly spread over them.

    Raises:
        FigureError: The scale lacks the run, or the run's files lack something or do not agree.
    """
    runs = runs_of(plan, name, maps=True)
    if not runs:
        raise no_run(plan, name)
    segmentation = load_segmentation(plan, runs[0], root)
    shown = shown_rows(segmentation)
    room = (TEXT_WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    side = (room - (len(PARTS) - 1) * INSIDE) / len(PARTS)
    down = -(-len(shown) // COLUMNS)
    keys = class_keys(segmentation, scores=True)
    width = TEXT_WIDTH - 2 * MARGIN
    top = HEADING + TITLES
    bottom = top + down * (side + LABEL)
    sheet = Sheet(TEXT_WIDTH, bottom + height(keys, width) + 0.08)
    sheet.heading(
        segmentation.heading(plan), stand_in=plan.datasets[segmentation.run.dataset].stand_in
    )
    for position, row in enumerate(shown):
        # down the first column, then down the next
        column, line = divmod(position, down)
        x = MARGIN + column * (room + GAP)
        if line == 0:
            for part, title in enumerate(PARTS):
                middle = x + part * (side + INSIDE) + side / 2
                sheet.text(middle, top - 0.06, title, ha="center", size=7, weight="bold")
        _pictures(sheet, segmentation, row, Box(x, top + line * (side + LABEL), room, side))
    draw_keys(sheet, keys, MARGIN, bottom, width)
    return Drawn(
        sheet.figure, Sources(scale=plan.scale.name, name=name, series=segmentation.series)
    )


def shown_rows(segmentation: Segmentation) -> list[int]:
    """The images to show.

    Raises:
        FigureError: Of no scored image the maps were kept.
    """
    rows = [row for row in range(len(segmentation.indices)) if segmentation.scored[row]]
    if not rows:
        raise FigureError(
            f"{segmentation.run.id}, seed {segmentation.seed}: none of the "
            f"{len(segmentation.indices)} images whose maps were kept is scored\n"
            "  remedy: train it again with more maps.examples"
        )
    return segmentation.evenly(rows, COLUMNS * ROWS)


def _pictures(sheet: Sheet, segmentation: Segmentation, row: int, box: Box) -> None:
    """Image, prediction and truth beside each other, over the image's name and accuracy."""
    colours = palette(segmentation.classes)
    parts = (
        segmentation.picture(row),
        paint(segmentation.prediction(row, masked=True), colours),
        paint(segmentation.truth(row), colours),
    )
    side = box.height
    for position, (pixels, what) in enumerate(zip(parts, PARTS, strict=True)):
        here = Box(box.x + position * (side + INSIDE), box.y, side, side)
        sheet.image(pixels, here, classes=what != PARTS[0])
    accuracy = segmentation.accuracy(row)
    right = "" if accuracy is None else f": {accuracy:.0f} % of pixels right"
    sheet.text(
        box.x, box.y + side + 0.11, f"{segmentation.name(row)}{right}", width=box.width, color=PALE
    )
