"""One image, whatever its format -> pixels at the working size.

Every step depends on the image alone, never on its neighbours: an image gives the same pixels by
itself and in any folder.
"""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps

from iic.own.errors import Unreadable

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
COLOURED = 16
"""Grey levels by which two channels of a pixel differ in an image that has colour."""
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what brings the image upright."""
TIFF = (b"II*\0", b"MM\0*")


class Header(NamedTuple):
    """What an image says of itself before it is decoded."""

    grey: bool
    """Whether its format can hold no colour."""
    side: int
    """Shorter side in pixels."""


def header(content: bytes | NDArray[np.uint8]) -> Header:
    """Format and size of an image.

    Raises:
        Unreadable: It is no image, or too large to be decoded.
    """
    if not isinstance(content, bytes):
        return Header(content.shape[2] == 1, min(content.shape[:2]))
    with _opened(content) as image:
        return Header(image.mode in GREY_MODES, min(image.size))


def decode(content: bytes | NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image upright, its shorter side at `side`, cropped to the middle square.

    16-bit and float pictures are stretched from their own darkest to their own brightest pixel;
    what is transparent lies on white.

    Args:
        content: Bytes of a file, or pixels (H, W, C).
        side: Pixels.

    Returns:
        uint8 (1, side, side), or (3, side, side) from a format with colours.

    Raises:
        Unreadable: It is no image, is cut, or is too large.
    """
    if not isinstance(content, bytes):
        image = Image.fromarray(content[..., 0] if content.shape[2] == 1 else content)
    else:
        with _opened(content) as image:
            image = _decoded(image, side)
    if image.size != (side, side):
        image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)


def upright(content: bytes | NDArray[np.uint8]) -> Image.Image:
    """An image as it is to be seen, at its own size, RGB.

    Args:
        content: Bytes of a file, or pixels (H, W, C).

    Raises:
        Unreadable: It is no image, is cut, or is too large.
    """
    if not isinstance(content, bytes):
        image = Image.fromarray(content[..., 0] if content.shape[2] == 1 else content)
    else:
        with _opened(content) as image:
            image = _decoded(image, max(image.size))
    return image.convert("RGB")


def coloured(pixels: NDArray[np.uint8]) -> bool:
    """Whether an image (C, H, W) has colour, and not grey written as RGB."""
    if len(pixels) == 1:
        return False
    spread = pixels.max(axis=0) - pixels.min(axis=0)
    return bool((spread > COLOURED).any())


def in_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """An image (C, H, W) with 1 or 3 channels."""
    if len(pixels) == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=0)
    return np.asarray(Image.fromarray(np.moveaxis(pixels, 0, 2)).convert("L"))[None]


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise Unreadable("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, of odd metadata
            return Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from None
    except Exception as error:  # whatever a reader of formats stumbles over in a broken file
        if content[:4] in TIFF:
            return _tiff(content)
        raise Unreadable(_reason(error)) from None


def _tiff(content: bytes) -> Image.Image:
    """The first page of a TIFF that Pillow does not know, such as 16-bit RGB."""
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages[0]
            if page.size > 2 * (Image.MAX_IMAGE_PIXELS or 0):
                raise Unreadable("too many pixels")
            pixels = page.asarray()
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(_reason(error)) from None
    pixels = np.squeeze(pixels)
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3):
        raise Unreadable(f"a TIFF of shape {pixels.shape}")
    return Image.fromarray(_stretched(pixels[..., :3] if pixels.ndim == 3 else pixels))


def _decoded(image: Image.Image, side: int) -> Image.Image:
    """Upright, 8 bits, grey or RGB, and no larger than needs be for `side`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.draft(None, (2 * side, 2 * side))
            image.load()
            turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
            image = _plain(_reduced(image, side))
    except Exception as error:
        raise Unreadable(_reason(error)) from None
    return image if turn is None else image.transpose(turn)


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """A large image by a whole factor, before it is copied into other modes."""
    factor = min(image.size) // (2 * side)
    if factor < 2 or image.mode in DEEP_MODES or image.mode in ("P", "PA", "1"):
        return image
    return image.reduce(factor)


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_MODES:
        return Image.fromarray(_stretched(np.asarray(image)))
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        blended = Image.alpha_composite(white, image)
        return blended.convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _stretched(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """From the darkest to the brightest pixel of this very image; in strips, to spare memory."""
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise Unreadable("holds NaN or infinity")
    factor = 255 / (highest - lowest) if highest > lowest else 0.0
    result = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), 256):
        strip = pixels[start : start + 256].astype(np.float32)
        result[start : start + 256] = np.rint((strip - lowest) * factor)
    return result


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if text.startswith("cannot identify image file"):
        return "no image of a known format"
    return text[:200] or type(error).__name__
