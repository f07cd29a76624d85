"""Figure 1, right half: a whole aerial image and its segmentation, put together from tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan, Run
from iic.publish.figures.legend import Key, class_keys, draw_keys, height
from iic.publish.figures.load_segmentations import load_segmentation
from iic.publish.figures.palettes import paint, palette
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.sheet import HEADING, Box, Sheet
from iic.publish.figures.style import PALE
from iic.publish.figures.tiles import Source, assemble, find_source

TRIM = 1
"""Pixels left out along every side of a tile, as in the released renderer: where the head is padded
the outermost ones are a uniform prediction, not the network's."""
GAP = 0.1
TITLE = 0.2
FOOT = 0.06


@dataclass(frozen=True)
class Aerial:
    """A source image all of whose tiles have predictions."""

    segmentation: Segmentation
    source: Source

    def height(self, width: float) -> float:
        """Inches that it needs with this width."""
        return HEADING + TITLE + self._side(width) + height(self._keys, width) + FOOT

    def fill(self, sheet: Sheet, plan: Plan, box: Box) -> None:
        """Draw image and prediction beside each other, with the meaning of the colours below."""
        segmentation, colours = self.segmentation, palette(self.segmentation.classes)
        stand_in = plan.datasets[segmentation.run.dataset].stand_in
        sheet.heading(segmentation.heading(plan), stand_in=stand_in, y=box.y)
        side = self._side(box.width)
        top = box.y + HEADING + TITLE
        rows = self.source.rows
        parts = {
            f"image {self.source.name}": [segmentation.picture(row)[:3] for row in rows],
            "prediction": [
                paint(segmentation.prediction(row, masked=False), colours) for row in rows
            ],
        }
        for position, (title, tiles) in enumerate(parts.items()):
            x = box.x + position * (side + GAP)
            sheet.text(x, top - 0.06, title, width=side, size=7, weight="bold")
            joined = assemble(tiles, self.source.side, TRIM)
            sheet.image(joined, Box(x, top, side, side), classes=position > 0)
        draw_keys(sheet, self._keys, box.x, top + side + 0.03, box.width)
        count = f"{self.source.side}×{self.source.side} tiles"
        sheet.text(
            box.x + box.width, top - 0.06, count, ha="right", width=box.width / 2, color=PALE
        )

    @property
    def _keys(self) -> list[Key]:
        return class_keys(self.segmentation, scores=False, masked=False)

    @staticmethod
    def _side(width: float) -> float:
        return (width - GAP) / 2


def load_aerial(plan: Plan, run: Run, root: Path) -> Aerial:
    """The first source image of which a run kept all maps.

    Raises:
        FigureError: There is none, or the run's files lack something or do not agree.
    """
    segmentation = load_segmentation(plan, run, root)
    return Aerial(segmentation, find_source(segmentation))
