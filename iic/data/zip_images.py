"""Reading images out of zip archives, which stay packed."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iic.data.errors import DataError
from iic.data.zips import Members

COLOUR_MODES = ("RGB", "L", "CMYK", "YCbCr")
"""Kinds of jpg that are read; a grey one gives three equal channels."""


def colours(archive: Members, member: str) -> NDArray[np.uint8]:
    """A jpg as uint8, (height, width, 3), R, G, B.

    Raises:
        DataError: It is absent, damaged or of another kind.
    """
    # by content: the odd png under a jpg's name is an image as well
    image = decoded(archive, member, "JPEG", "PNG")
    if image.mode not in COLOUR_MODES:
        raise archive.wrong(f"{member}: of kind {image.mode}, expected {', '.join(COLOUR_MODES)}")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def decoded(archive: Members, member: str, *kinds: str) -> Image.Image:
    """An image of one of `kinds`, as Pillow names formats.

    Raises:
        DataError: It is absent, damaged or none of them.
    """
    content = archive.read(member)
    try:
        image = Image.open(io.BytesIO(content), formats=kinds)
        archive.check_pixels(member, image.height, image.width)
        image.load()
    except DataError:
        raise
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise archive.wrong(f"{member}: cut or no {kinds[0]} image: {error}") from error
    return image
