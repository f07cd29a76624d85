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
        segmentations: Those of each run.
        rows: The images to show, by run: their rows in its segmentations.
    """

    segmentations: tuple[Segmentation, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def parts(self) -> int:
        """Pictures beside each other: image, a prediction of each run, truth."""
        return len(self.segmentations) + 2


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
        make_half(load_segmentations(plan, of_dataset, root)) for of_dataset in by_dataset.values()
    ]
    parts = sum(half.parts for half in halves)
    inner = (parts - len(halves)) * INSIDE + (len(halves) - 1) * GAP
    side = min(LARGEST, (TEXT_WIDTH - 2 * MARGIN - inner) / parts)
    top = HEADING + max(len(half.segmentations) for half in halves) * LINE + TITLES
    down = max(len(half.rows[0]) for half in halves)
    widths = [half.parts * side + (half.parts - 1) * INSIDE for half in halves]
    keys = [
        class_keys(half.segmentations[0], scores=False, masked=_masked(half)) for half in halves
    ]
    foot = max(height(*both) for both in zip(keys, widths, strict=True))
    bottom = top + down * (side + INSIDE) + 0.04
    sheet = Sheet(TEXT_WIDTH, bottom + foot + 0.06)
    stand_in = any(plan.datasets[run.dataset].stand_in for run in runs)
    sheet.heading(
        "Segmentations, with the share of scored pixels whose class is right", stand_in=stand_in
    )
    x = MARGIN
    for half, width, of_half in zip(halves, widths, keys, strict=True):
        _draw_half(sheet, plan, name, half, Box(x, top, width, side))
        draw_keys(sheet, of_half, x, bottom, width)
        x += width + GAP
    series: list[Series] = [
        of_run
        for half in halves
        for segmentation in half.segmentations
        for of_run in segmentation.series
    ]
    return Drawn(sheet.figure, Sources(scale=plan.scale.name, name=name, series=series))


def make_half(segmentations: Sequence[Segmentation]) -> Half:
    """Images that all runs of a dataset are scored on and kept maps of, evenly spread over them.

    Raises:
        FigureError: There is none, or the runs evaluate different parts of an image.
    """
    first, *others = segmentations
    common = first.indices[first.scored]
    for other in others:
        common = np.intersect1d(common, other.indices[other.scored])
        if other.clusters.shape[1:] != first.clusters.shape[1:]:
            raise FigureError(
                f"{other.run.id}: maps of {_size(other)} pixels, but those of {first.run.id} are "
                f"of {_size(first)}\n  remedy: give both one maps.evaluation_area and input_size"
            )
    if not len(common):
        names = " and ".join(segmentation.run.id for segmentation in segmentations)
        raise FigureError(
            f"{names}: no image that all are scored on and kept the maps of\n"
            "  remedy: train them again with more maps.examples"
        )
    shown = first.evenly([int(index) for index in common], ROWS)
    rows = (np.searchsorted(segmentation.indices, shown) for segmentation in segmentations)
    return Half(tuple(segmentations), tuple(tuple(map(int, of_run)) for of_run in rows))


def _draw_half(sheet: Sheet, plan: Plan, name: str, half: Half, box: Box) -> None:
    """A dataset's columns; `box` is where its first row goes."""
    side = box.height
    first = half.segmentations[0]
    for line, segmentation in enumerate(half.segmentations):
        run = f"{segmentation.run.id}{stand_in_note(plan, segmentation.run)}"
        score = f"{run}, seed {segmentation.seed}: {segmentation.of.accuracy:.1f} %"
        sheet.text(box.x, HEADING + (line + 0.6) * LINE, score, width=box.width, color=PALE)
    runs = [segmentation.run.name for segmentation in half.segmentations]
    methods = [plan.figures[name].method_of(run) or run for run in runs]
    colours = palette(first.classes)
    for column, title in enumerate(["image", *methods, "true classes"]):
        x = box.x + column * (side + INSIDE)
        sheet.text(
            x + side / 2, box.y - 0.06, title, ha="center", width=side, size=7, weight="bold"
        )
        for line, rows in enumerate(zip(*half.rows, strict=True)):
            here = Box(x, box.y + line * (side + INSIDE), side, side)
            if column == 0:
                sheet.image(first.picture(rows[0]), here)
            elif column <= len(half.segmentations):
                segmentation, row = half.segmentations[column - 1], rows[column - 1]
                shown = paint(segmentation.prediction(row, masked=True), colours)
                sheet.image(shown, here, classes=True)
            else:
                sheet.image(paint(first.truth(rows[0]), colours), here, classes=True)


def _masked(half: Half) -> bool:
    """Whether any pixel that is shown is not scored."""
    first = half.segmentations[0]
    return any((first.truth(row) < 0).any() for row in half.rows[0])


def _size(segmentation: Segmentation) -> str:
    return "x".join(map(str, segmentation.clusters.shape[1:]))
