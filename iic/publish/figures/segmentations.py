"""What one run predicts for every pixel of the images that figures show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iic.data.load_maps import PreparedMaps
from iic.data.maps import UNLABELLED
from iic.params.runs import Plan, Run
from iic.publish.figures.chosen import Chosen
from iic.publish.figures.palettes import MASKED
from iic.publish.figures.style import stand_in_note
from iic.records.sources import Series

Ints = NDArray[np.int64]
ClassMap = NDArray[np.int16]
"""(height, width): a class; -1 for a cluster without one, `MASKED` for what is not scored."""


@dataclass(frozen=True)
class Segmentation:
    """One sub-head's predictions for the m images whose maps were kept.

    Args:
        run: The run.
        seed: Its seed.
        of: The sub-head, the classes of its clusters, its scores.
        data: The dataset.
        indices: Positions of the m images in it, ascending, (m,).
        probabilities: Of every cluster, (m, k, height, width).
        clusters: The most probable one, (m, height, width).
        scored: Whether the image is scored, rather than only mapped from, (m,).
        images: Number of images that are scored in all.
        classes: Names.
        sky: The class of pixels without label; None where they are not scored.
        series: The files that all this was read from.
    """

    run: Run
    seed: int
    of: Chosen
    data: PreparedMaps
    indices: Ints
    probabilities: NDArray[np.float16]
    clusters: NDArray[np.int16]
    scored: NDArray[np.bool_]
    images: int
    classes: tuple[str, ...]
    sky: int | None
    series: list[Series]

    def name(self, row: int) -> str:
        """What the source calls an image."""
        return self.data.names[int(self.indices[row])]

    def picture(self, row: int) -> NDArray[np.uint8]:
        """One image, as much of it as is evaluated, (channels, height, width)."""
        rows, columns = self._area(row)
        return np.asarray(self.data.images[self.indices[row], :, rows, columns])

    def truth(self, row: int) -> ClassMap:
        """The true classes, as they are scored."""
        return _truth(self.data, int(self.indices[row]), self._area(row), self.sky)

    def prediction(self, row: int, *, masked: bool) -> ClassMap:
        """The predicted classes.

        Args:
            row: The image.
            masked: Whether pixels that are not scored are left out, as in the paper's figures.
        """
        rows, columns = self._area(row)
        inside = self.clusters[row, : rows.stop - rows.start, : columns.stop - columns.start]
        classes = self.of.mapping.astype(np.int16)[inside]
        if masked:
            classes = np.where(self.truth(row) == MASKED, np.int16(MASKED), classes)
        return classes

    def accuracy(self, row: int) -> float | None:
        """Of one image, in percent; None where no pixel of it is scored."""
        truth = self.truth(row)
        there = truth != MASKED
        if not there.any():
            return None
        right = (self.prediction(row, masked=True) == truth)[there]
        return 100.0 * float(right.mean())

    def evenly(self, rows: Sequence[int], number: int) -> list[int]:
        """At most `number` of `rows`, evenly spread over them: chosen by place, not by looks."""
        positions = np.linspace(0, len(rows) - 1, min(number, len(rows))).round().astype(int)
        return [rows[position] for position in positions]

    def which(self, plan: Plan) -> str:
        """The run, its seed and, where there are several, its sub-head."""
        head = f", sub-head {self.of.head}" if self.of.heads > 1 else ""
        return f"{self.run.id}{stand_in_note(plan, self.run)}, seed {self.seed}{head}"

    def heading(self, plan: Plan) -> str:
        """What is shown, in one line."""
        score = f"{self.of.accuracy:.1f} % of pixels right"
        if self.of.scores.miou is not None:
            score += f", mIoU {self.of.scores.miou:.1f} %"
        return f"{self.which(plan)}: {score}, {self.images:,} images"

    def _area(self, row: int) -> tuple[slice, slice]:
        return area(self.data, int(self.indices[row]), self.clusters.shape[1:])


def area(data: PreparedMaps, index: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of an image that maps of this shape are of, in the canvas.

    Maps of the canvas' size are of the whole content, which lies in its upper left corner; smaller
    ones are of a central crop.

    Args:
        data: The dataset.
        index: The image.
        shape: (height, width) of the maps.
    """
    size = [int(side) for side in data.sizes[index]]
    if shape == data.images.shape[2:]:
        return slice(0, size[0]), slice(0, size[1])
    first = [(have - want) // 2 for have, want in zip(size, shape, strict=True)]
    return slice(first[0], first[0] + shape[0]), slice(first[1], first[1] + shape[1])


def _truth(data: PreparedMaps, index: int, where: tuple[slice, slice], sky: int | None) -> ClassMap:
    labels = np.asarray(data.labels[index, where[0], where[1]]).astype(np.int16)
    if sky is not None:
        labels = np.where(labels == UNLABELLED, np.int16(sky), labels)
    return np.where(labels >= len(data.manifest.classes), np.int16(MASKED), labels)
