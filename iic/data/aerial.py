"""Reading Potsdam's tif files: images of four channels, and label maps in ISPRS's six colours.

tifffile decodes them. Pillow would not do: of four channels whose fourth is no transparency it
drops the fourth, the infrared one, without a word. With imagecodecs, tifffile also reads what is
compressed; which of Potsdam's files are, and how, its source does not say.
"""

from __future__ import annotations

import io

import numpy as np
import tifffile
from numpy.typing import NDArray

from iic.data.errors import DataError
from iic.data.zips import Members

COLOURS: dict[tuple[int, int, int], str] = {
    (255, 255, 255): "roads",
    (0, 0, 255): "buildings",
    (0, 255, 255): "low_vegetation",
    (0, 255, 0): "trees",
    (255, 255, 0): "cars",
    (255, 0, 0): "clutter",
}
"""Red, green and blue of a label map -> class (docs/spec/segmentation.md#potsdam)."""
FINE = tuple(COLOURS.values())
"""The six classes by number, as Potsdam-6 has them."""
SUSPECT = (
    "the label maps that IIC was trained with are those of 5_Labels_for_participants.zip; in "
    "5_Labels_all.zip, 4_12 and 6_7 are known to have other colours"
)


def read_image(archive: Members, member: str, channels: int) -> NDArray[np.uint8]:
    """Decode an image.

    Returns:
        uint8, (height, width, channels): red, green, blue, infrared.

    Raises:
        DataError: The file is missing, cut or damaged, or no image of so many 8-bit channels.
    """
    image = _decoded(archive, member)
    if image.shape[2] != channels:
        raise archive.wrong(
            f"{member}: {_channels(image)}, expected {channels} (red, green, blue, infrared)"
        )
    return image


def read_classes(archive: Members, member: str) -> NDArray[np.uint8]:
    """Decode a label map.

    Returns:
        uint8, (height, width), indices into `FINE`.

    Raises:
        DataError: The file is missing, cut or damaged, no image of three 8-bit channels, or has a
            pixel of another colour than `COLOURS`; names the first one.
    """
    image = _decoded(archive, member)
    if image.shape[2] != 3:
        raise archive.wrong(f"{member}: {_channels(image)}, expected 3 (red, green, blue)")
    classes = np.empty(image.shape[:2], np.uint8)
    for start in range(0, len(image), ROWS):
        part = slice(start, start + ROWS)
        classes[part] = _CODES[_numbers(image[part])]
    wrong = classes == _NONE
    if wrong.any():
        row, column = divmod(int(wrong.argmax()), image.shape[1])
        raise DataError(
            f"{archive.path}: {member}: colour {tuple(image[row, column].tolist())} in row {row}, "
            f"column {column} is none of ISPRS's six ({np.count_nonzero(wrong):,} of "
            f"{wrong.size:,} pixels have other colours)\n  remedy: {SUSPECT}"
        )
    return classes


ROWS = 256
"""Rows of a label map that are looked up at once."""
BUFFER = 1 << 22
"""Bytes of compressed strips or tiles that are held besides the file itself."""
_NONE = 255
_BITS = np.full(256, 8, np.uint8)
_BITS[[0, 255]] = 0, 1


def _numbers(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One number for each colour (..., 3): below 8 where all channels are 0 or 255."""
    bits = _BITS[colours]
    bits[..., 0] <<= 2
    bits[..., 1] <<= 1
    numbers: NDArray[np.uint8] = np.bitwise_or.reduce(bits, axis=-1)
    return numbers


def _codes() -> NDArray[np.uint8]:
    codes = np.full(64, _NONE, np.uint8)
    for code, colour in enumerate(COLOURS):
        codes[_numbers(np.array(colour, np.uint8))] = code
    return codes


_CODES = _codes()


def _decoded(archive: Members, member: str) -> NDArray[np.uint8]:
    """An image of 8 bits a channel, uint8, (height, width, channels)."""
    # closing the stream frees the file's bytes: tifffile's objects, which refer to each other, hold
    # on to it until they are collected, and a few hundred megabytes with it
    with io.BytesIO(archive.read(member)) as stream:
        try:
            with tifffile.TiffFile(stream) as file:
                page = file.pages.first
                archive.check_pixels(member, int(np.prod(page.shape)), 1)
                decoded = page.asarray(maxworkers=1, buffersize=BUFFER)
                apart = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        except DataError:
            raise
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise archive.wrong(f"{member}: cut or no tif image: {error}") from error
    if decoded.dtype != np.uint8 or decoded.ndim not in (2, 3):
        raise archive.wrong(
            f"{member}: {decoded.dtype} values of shape {decoded.shape}, expected 8 bits a channel"
        )
    image: NDArray[np.uint8] = np.moveaxis(decoded, 0, 2) if apart else decoded
    return image if image.ndim == 3 else image[..., None]


def _channels(image: NDArray[np.uint8]) -> str:
    count = image.shape[2]
    return f"{count} channel{'s' if count > 1 else ''}"
