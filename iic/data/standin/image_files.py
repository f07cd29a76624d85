"""Files that hold images, and the zip archives that hold the files: COCO's and Potsdam's.

Png, tif and zip are written byte for byte, as in `formats`. A jpg is Pillow's: with these settings
the bytes were the same under Pillow 10.0, 10.4, 11.0, 11.3, 12.0, 12.2 and 13.0 (libjpeg-turbo
2.1.5 to 3.2.0), whose integer transform is exact by contract.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iic.data.standin.formats import stored

QUALITY = 92
"""Of a jpg: as in photographs, little of a texture is lost."""
STRIP = 50
"""Rows of a tif that are stored together."""
DATE = (1 << 5) | 1
"""1 January 1980, the first day that a zip archive knows."""


def jpg(image: NDArray[np.uint8]) -> bytes:
    """A photograph as in COCO.

    Args:
        image: Red, green, blue; (3, height, width).
    """
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    picture.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=False, progressive=False)
    return file.getvalue()


def png(values: NDArray[np.uint8]) -> bytes:
    """A label map as in COCO-Stuff: eight bits of grey, (height, width)."""
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    # each row follows the number of its filter: 0, none
    rows = np.insert(values, 0, 0, axis=1).tobytes()
    packed = b"".join([b"\x78\x01", *stored(rows), struct.pack(">I", zlib.adler32(rows))])
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def tif(image: NDArray[np.uint8]) -> bytes:
    """An aerial image or its label map as in Potsdam: uncompressed strips, little endian.

    Args:
        image: Red, green, blue and, with four channels, infrared; (channels, height, width).
    """
    channels, height, width = image.shape
    pixels = image.transpose(1, 2, 0).tobytes()
    row = width * channels
    starts = range(0, height * row, STRIP * row)
    data = 8
    strips = [data + start for start in starts]
    sizes = [min(STRIP * row, height * row - start) for start in starts]
    entries: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [8] * channels),  # bits of each channel
        (259, "H", [1]),  # not compressed
        (262, "H", [2]),  # red, green, blue
        (273, "I", strips),
        (277, "H", [channels]),
        (278, "I", [STRIP]),
        (279, "I", sizes),
        (284, "H", [1]),  # the channels of a pixel stand together
    ]
    if channels > 3:
        entries.append((338, "H", [0] * (channels - 3)))  # no transparency
    directory = data + len(pixels) + len(pixels) % 2
    beyond = directory + 2 + 12 * len(entries) + 4
    fields, values = [struct.pack("<H", len(entries))], b""
    for tag, kind, numbers in entries:
        content = struct.pack(f"<{len(numbers)}{kind}", *numbers)
        if len(content) > 4:
            field = struct.pack("<I", beyond + len(values))
            values += content + bytes(len(content) % 2)
        else:
            field = content.ljust(4, b"\0")
        fields.append(struct.pack("<HHI", tag, {"H": 3, "I": 4}[kind], len(numbers)) + field)
    header = struct.pack("<2sHI", b"II", 42, directory)
    return b"".join([header, pixels, bytes(len(pixels) % 2), *fields, bytes(4), values])


def zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip archive: not compressed, all of one date, without a system's attributes.

    Args:
        members: Path in the archive and content of each.
    """
    parts: list[bytes] = []
    index: list[bytes] = []
    offset = 0
    for name, content in members:
        path = name.encode("ascii")
        fields = struct.pack(
            "<HHHHHIIIHH",
            20,  # version needed
            0,
            0,  # stored
            0,
            DATE,
            zlib.crc32(content),
            len(content),
            len(content),
            len(path),
            0,
        )
        index.append(b"PK\1\2\x14\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, offset) + path)
        parts += [b"PK\3\4", fields, path, content]
        offset += 4 + len(fields) + len(path) + len(content)
    listed = b"".join(index)
    ending = struct.pack("<HHHHIIH", 0, 0, len(index), len(index), len(listed), offset, 0)
    return b"".join([*parts, listed, b"PK\5\6", ending])
