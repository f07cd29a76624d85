"""What stands on a drawn sheet, and what of it is printed."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from iic.publish.figures.saving import PNG_DPI


def words(figure: Figure) -> list[str]:
    """Everything that is written on a sheet."""
    return [text.get_text() for text in (*figure.axes[0].texts, *figure.texts)]


def shown(figure: Figure) -> list[np.ndarray]:
    """The pictures of a sheet, in the order in which they were set."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def at(png: bytes, figure: Figure, number: int, x: float, y: float) -> tuple[int, ...]:
    """Colour of the printed figure at a place in its picture `number`, in shares of its sides."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    left, right, bottom, top = figure.axes[0].images[number].get_extent()
    place = ((left + x * (right - left)) * PNG_DPI, (top + y * (bottom - top)) * PNG_DPI)
    return image.getpixel((int(place[0]), int(place[1])))
