"""The frame of uniform predictions that a padded head draws around every tile, and its absence.

The released network pads its heads' 1x1 convolution by a pixel, so that all clusters are equally
probable along the border of every map, and the first of them wins
(docs/spec/released_code.md#head-padding). Tiles put together without trimming show it as a grid.
The paper's renderer trims it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.params.runs import Plan
from iic.publish.figures.chosen import no_run, runs_of
from iic.publish.figures.legend import class_keys, draw_keys, height, words
from iic.publish.figures.load_segmentations import load_segmentations
from iic.publish.figures.palettes import paint, palette
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.sheet import HEADING, Box, Sheet
from iic.publish.figures.style import INK, PALE, TEXT_WIDTH, Drawn, FigureError
from iic.publish.figures.tiles import Source, assemble, complete_sources, find_source
from iic.records.sources import Sources

ZOOM = 2
"""Tiles along each side of the enlarged part."""
COLUMNS = 4
GAP = 0.06
TITLE = 0.32
LABEL = 0.28
MARGIN = 0.08


class Border(NamedTuple):
    """Of the outermost pixels of all tiles, in percent; and of all other pixels."""

    share: float
    """How many pixels they are of all."""
    uniform: float
    """Those where all clusters are equally probable."""
    first: float
    """Those whose most probable cluster is cluster 0."""
    first_inside: float
    """The same of all other pixels."""


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """A row for each run: the whole prediction, and a part of it enlarged, with its certainty.

    Raises:
        FigureError: The scale lacks the runs, they have no whole source image in common, or a
            run's files lack something or do not agree.
    """
    runs = runs_of(plan, name, maps=True)
    if not runs:
        raise no_run(plan, name)
    every = load_segmentations(plan, runs, root)
    sources = shared_source(every)
    side = (TEXT_WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    pitch = TITLE + side + LABEL
    keys = class_keys(every[0], scores=False, masked=False)
    width = TEXT_WIDTH - 2 * MARGIN
    sheet = Sheet(TEXT_WIDTH, HEADING + len(every) * pitch + height(keys, width) + 0.06)
    stand_in = any(plan.datasets[run.dataset].stand_in for run in runs)
    tiles = f"{sources[0].side}×{sources[0].side} tiles, none trimmed"
    sheet.heading(f"Source image {sources[0].name}, {tiles}", stand_in=stand_in)
    for position, (segmentation, source) in enumerate(zip(every, sources, strict=True)):
        y = HEADING + position * pitch
        _row(sheet, plan, segmentation, source, Box(MARGIN, y, width, side), uncut=position == 0)
    draw_keys(sheet, keys, MARGIN, HEADING + len(every) * pitch, width)
    series = [entry for segmentation in every for entry in segmentation.series]
    return Drawn(sheet.figure, Sources(scale=plan.scale.name, name=name, series=series))


def shared_source(every: Sequence[Segmentation]) -> list[Source]:
    """The first source image that is whole in all of these runs, in each of them.

    Raises:
        FigureError: There is none.
    """
    own = [find_source(segmentation) for segmentation in every]
    common = set.intersection(*(set(complete_sources(segmentation)) for segmentation in every))
    if not common:
        names = ", ".join(
            f"{source.name} in {segmentation.run.id}"
            for source, segmentation in zip(own, every, strict=True)
        )
        raise FigureError(
            f"no source image is whole in all runs: {names}\n  remedy: train them on the same data"
        )
    return [find_source(segmentation, common) for segmentation in every]


def measure(segmentation: Segmentation, rows: tuple[int, ...]) -> Border:
    """What is predicted along the border of these tiles.

    Args:
        segmentation: The segmentations of one run.
        rows: Tiles.
    """
    z, clusters = segmentation.probabilities[list(rows)], segmentation.clusters[list(rows)]
    ring = np.ones(clusters.shape[1:], dtype=np.bool_)
    ring[1:-1, 1:-1] = False
    uniform = z.max(axis=1) == z.min(axis=1)
    first = clusters == 0
    return Border(
        share=100.0 * float(ring.mean()),
        uniform=100.0 * float(uniform[:, ring].mean()),
        first=100.0 * float(first[:, ring].mean()),
        first_inside=100.0 * float(first[:, ~ring].mean()),
    )


def certainty(z: NDArray[np.float16]) -> NDArray[np.uint8]:
    """The largest probability of each pixel in grey: black where all are equal, white for 1.

    Args:
        z: (k, height, width).

    Returns:
        (1, height, width).
    """
    k = len(z)
    largest = z.max(axis=0, keepdims=True).astype(np.float32)
    grey: NDArray[np.uint8] = (
        (255 * np.clip((largest - 1 / k) / (1 - 1 / k), 0, 1)).round().astype(np.uint8)
    )
    return grey


def _row(
    sheet: Sheet, plan: Plan, segmentation: Segmentation, source: Source, box: Box, *, uncut: bool
) -> None:
    """One run; the first column shows the whole image, or the enlarged part of it."""
    side, top = box.height, box.y + TITLE
    colours = palette(segmentation.classes)
    padding = getattr(getattr(segmentation.run.settings, "network", None), "head_padding", None)
    kind = "" if padding is None else f", heads padded by {padding}"
    text = f"{segmentation.which(plan)}{kind}"
    sheet.text(box.x, box.y + 0.12, text, width=box.width, size=7.5, weight="bold")
    zoom = min(ZOOM, source.side)
    start = (source.side - zoom) // 2
    near = [
        source.rows[line * source.side + column]
        for line in range(start, start + zoom)
        for column in range(start, start + zoom)
    ]
    prediction = {
        row: paint(segmentation.prediction(row, masked=False), colours) for row in source.rows
    }
    pictures = [segmentation.picture(row)[:3] for row in (source.rows if uncut else near)]
    panels = (
        ("image" if uncut else "image, enlarged", pictures, False),
        ("prediction", list(prediction.values()), True),
        ("prediction, enlarged", [prediction[row] for row in near], True),
        (
            "largest probability",
            [certainty(segmentation.probabilities[row]) for row in near],
            False,
        ),
    )
    for position, (title, tiles, classes) in enumerate(panels):
        x = box.x + position * (side + GAP)
        sheet.text(x, top - 0.05, title, width=side)
        along = source.side if len(tiles) == len(source.rows) else zoom
        shown = sheet.image(assemble(tiles, along, 0), Box(x, top, side, side), classes=classes)
        if along == source.side > zoom:
            step = shown.width / source.side
            part = Box(shown.x + start * step, shown.y + start * step, zoom * step, zoom * step)
            sheet.rectangle(part, facecolor="none", edgecolor=INK, linewidth=0.9)
    border = measure(segmentation, source.rows)
    label = int(segmentation.of.mapping[0])
    name = words(segmentation.classes[label]) if label >= 0 else "of no class"
    numbers = (
        f"outermost pixels of each tile ({border.share:.1f} % of all): {border.uniform:.1f} % "
        f"uniform, {border.first:.1f} % cluster 0; inside, {border.first_inside:.1f} % cluster 0, "
        f"which is {name}"
    )
    sheet.text(box.x, top + side + 0.14, numbers, width=box.width, size=7, color=PALE)
