"""A page of small images, bars and words, placed in inches from its upper left corner.

One pair of axes holds everything: a grid of a hundred of them would take matplotlib a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from iic.publish.figures.saving import PNG_DPI
from iic.publish.figures.style import INK, RC, WRONG

HEADING = 0.3
"""Height of the line that names what is shown."""
SMALL = 6.5
"""Points: the smallest words that are set."""


@dataclass(frozen=True)
class Box:
    """A rectangle: the place of its upper left corner, and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Halfway across."""
        return self.x + self.width / 2


class Sheet:
    """An empty page.

    Args:
        width: Inches.
        height: Inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.set_autoscale_on(False)
        self.axes.set_axis_off()
        self.width = width

    def heading(self, text: str, *, stand_in: bool, y: float = 0) -> None:
        """The line on top of the page, or of a part that begins at `y`.

        Data that is no real data is labelled on its right.
        """
        room = self.width - 0.2
        if stand_in:
            label_stand_in(self.figure, self.width, y)
            room -= 1.1
        self.text(0.08, y + HEADING / 2, text, width=room, size=8, va="center")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        width: float | None = None,
        size: float = SMALL,
        **style: Any,
    ) -> None:
        """Words at a point, shortened where they would be wider than `width`."""
        shown = text if width is None else shortened(text, width, size, style.get("weight"))
        settings: dict[str, Any] = {"color": INK, "parse_math": False} | style
        self.axes.text(x, y, shown, fontsize=size, **settings)

    def image(self, pixels: NDArray[np.uint8], box: Box, *, classes: bool = False) -> Box:
        """One image (C, H, W) as large as fits into the box, in its middle; gives its place.

        Args:
            pixels: The image.
            box: Its room.
            classes: Whether its colours stand for classes, so that none may lie between two where
                the image is enlarged.
        """
        height, width = pixels.shape[1:]
        scale = min(box.width / width, box.height / height)
        width, height = width * scale, height * scale
        frame = Box(box.middle - width / 2, box.y + (box.height - height) / 2, width, height)
        shown = pixels[0] if len(pixels) < 3 else pixels[:3].transpose(1, 2, 0)
        enlarged = scale * PNG_DPI > 1
        self.axes.imshow(
            shown,
            cmap="gray",
            vmin=0,
            vmax=255,
            aspect="auto",
            interpolation="nearest" if classes and enlarged else "antialiased",
            extent=(frame.x, frame.x + width, frame.y + height, frame.y),
        )
        return frame

    def rectangle(self, box: Box, **style: Any) -> None:
        """A rectangle."""
        self.axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, **style))

    def rule(self, y: float) -> None:
        """A thin line across the page."""
        self.axes.plot([0.08, self.width - 0.08], [y, y], color="#b0b0b0", linewidth=0.6)


def label_stand_in(figure: Figure, width: float, y: float = 0) -> None:
    """Print "stand-in data" on the right of a figure of this width, on the line below `y`."""
    height = figure.get_figheight()
    figure.text(
        1 - 0.1 / width,
        1 - (y + HEADING / 2) / height,
        "stand-in data",
        ha="right",
        va="center",
        fontsize=8,
        weight="bold",
        color=WRONG,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": WRONG, "lw": 0.8},
    )


def shortened(text: str, width: float, size: float, weight: str | None = None) -> str:
    """`text`, or as much of it as fits into `width` inches, ended by an ellipsis."""
    font = FontProperties(family=RC["font.family"], size=size, weight=weight)
    shown = text
    while _width(shown, font) > width and len(shown) > 2:
        shown = shown[:-2].rstrip(" ,(") + "…"
    return shown


def text_width(text: str, size: float, weight: str | None = None) -> float:
    """Width of a text in inches."""
    return _width(text, FontProperties(family=RC["font.family"], size=size, weight=weight))


def readable(name: str) -> str:
    """The name of a class as words."""
    return name.replace("_", " ")


def _width(text: str, font: FontProperties) -> float:
    points: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return points / 72
