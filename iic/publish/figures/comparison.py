"""Figure 7: segmentations by IIC and IIC* beside the images and their true classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iic.params.runs import Plan, Run
from iic.publish.figures.chosen import no_run, runs_of
from iic.publish.figures.legend import class_keys, draw_keys, height
from iic.publish.figures.load_segmentations import load_segmentations
from iic.publish.figures.palettes import paint, palette
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.sheet import HEADING, Box, Sheet
from iic.publish.figures.style import PALE, TEXT_WIDTH, Drawn, FigureError, stand_in_note
from iic.records.sources import Series, Sources

ROWS = 5
LARGEST = 1.1
"""Side of an image in inches, where there are few beside each other."""
GAP = 0.2
"""Between the datasets."""
INSIDE = 0.04
LINE = 0.13
"""Height of the line that gives a run's accuracy."""
TITLES = 0.2
MARGIN = 0.08


@dataclass(frozen=True)
class Half:
    """One dataset: runs on the same images.

    Args:
        found: The segmentations of each run.
        rows: The images to show, by run: their rows in it.
    """

    found: tuple[Segmentation, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def parts(self) -> int:
        """Pictures beside each other: image, a prediction of each run, truth."""
        return len(self.found) + 2


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """One half for each dataset that has runs at this scale, with a column for each run.

    Raises:
        FigureError: The scale lacks all runs, two runs have no image in common, or a run's files
            lack something or do not agree.
    """
    runs = runs_of(plan, name, maps=True)
    if not runs:
        raise no_run(plan, name)
    by_dataset: dict[str, list[Run]] = {}
    for run in runs:
        by_dataset.setdefault(run.dataset, []).append(run)
    halves = [
        half(load_segmentations(plan, of_dataset, root)) for of_dataset in by_dataset.values()
    ]
    parts = sum(one.parts for one in halves)
    inner = (parts - len(halves)) * INSIDE + (len(halves) - 1) * GAP
    side = min(LARGEST, (TEXT_WIDTH - 2 * MARGIN - inner) / parts)
    top = HEADING + max(len(one.found) for one in halves) * LINE + TITLES
    down = max(len(one.rows[0]) for one in halves)
    widths = [one.parts * side + (one.parts - 1) * INSIDE for one in halves]
    keys = [class_keys(one.found[0], scores=False, masked=_masked(one)) for one in halves]
    foot = max(height(*both) for both in zip(keys, widths, strict=True))
    bottom = top + down * (side + INSIDE) + 0.04
    sheet = Sheet(TEXT_WIDTH, bottom + foot + 0.06)
    stand_in = any(plan.datasets[run.dataset].stand_in for run in runs)
    sheet.heading(
        "Segmentations, with the share of scored pixels whose class is right", stand_in=stand_in
    )
    x = MARGIN
    for one, width, of_half in zip(halves, widths, keys, strict=True):
        _half(sheet, plan, name, one, Box(x, top, width, side))
        draw_keys(sheet, of_half, x, bottom, width)
        x += width + GAP
    series: list[Series] = [of_run for one in halves for run in one.found for of_run in run.series]
    return Drawn(sheet.figure, Sources(scale=plan.scale.name, name=name, series=series))


def half(found: Sequence[Segmentation]) -> Half:
    """Images that all runs of a dataset are scored on and kept maps of, evenly spread over them.

    Raises:
        FigureError: There is none, or the runs evaluate different parts of an image.
    """
    common = found[0].indices[found[0].scored]
    for one in found[1:]:
        common = np.intersect1d(common, one.indices[one.scored])
        if one.clusters.shape[1:] != found[0].clusters.shape[1:]:
            raise FigureError(
                f"{one.run.id}: maps of {_size(one)} pixels, but those of {found[0].run.id} are of "
                f"{_size(found[0])}\n  remedy: give both one maps.evaluation_area and input_size"
            )
    if not len(common):
        names = " and ".join(one.run.id for one in found)
        raise FigureError(
            f"{names}: no image that all are scored on and kept the maps of\n"
            "  remedy: train them again with more maps.examples"
        )
    shown = found[0].evenly([int(index) for index in common], ROWS)
    return Half(
        tuple(found),
        tuple(tuple(int(row) for row in np.searchsorted(one.indices, shown)) for one in found),
    )


def _half(sheet: Sheet, plan: Plan, name: str, one: Half, box: Box) -> None:
    """A dataset's columns; `box` is the place of the first row."""
    side = box.height
    first = one.found[0]
    for line, found in enumerate(one.found):
        seed = f"seed {found.seed}"
        run = f"{found.run.id}{stand_in_note(plan, found.run)}, {seed}"
        score = f"{run}: {found.of.accuracy:.1f} %"
        sheet.text(box.x, HEADING + (line + 0.6) * LINE, score, width=box.width, color=PALE)
    methods = [
        plan.figures[name].method_of(found.run.name) or found.run.name for found in one.found
    ]
    titles = ["image", *methods, "true classes"]
    colours = palette(first.classes)
    for place, title in enumerate(titles):
        x = box.x + place * (side + INSIDE)
        sheet.text(
            x + side / 2, box.y - 0.06, title, ha="center", width=side, size=7, weight="bold"
        )
        for line, rows in enumerate(zip(*one.rows, strict=True)):
            here = Box(x, box.y + line * (side + INSIDE), side, side)
            if place == 0:
                sheet.image(first.picture(rows[0]), here)
            elif place <= len(one.found):
                found, row = one.found[place - 1], rows[place - 1]
                shown = paint(found.prediction(row, masked=True), colours)
                sheet.image(shown, here, classes=True)
            else:
                sheet.image(paint(first.truth(rows[0]), colours), here, classes=True)


def _masked(one: Half) -> bool:
    """Whether any pixel that is shown is not scored."""
    found = one.found[0]
    return any((found.truth(row) < 0).any() for row in one.rows[0])


def _size(found: Segmentation) -> str:
    return "x".join(map(str, found.clusters.shape[1:]))
