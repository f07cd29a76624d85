"""The official file formats, written byte for byte: STL-10's binaries, CIFAR's pickles, idx.

Libraries do not promise their bytes: the pickle of an array names modules that numpy has moved, and
what a compressor makes of its input depends on its version. So both are spelled out here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Value = str | int | list[str] | list[int] | NDArray[np.uint8]

BATCH = 1000
"""Most items that Python 2 appends to a list at once."""
STORED = 65535
"""Most bytes in a block of a deflate stream that is not compressed."""


def stl10_images(images: NDArray[np.uint8]) -> bytes:
    """Images (n, channels, height, width) as STL-10 has them: column after column."""
    return images.transpose(0, 1, 3, 2).tobytes()


def stl10_labels(labels: NDArray[np.int64]) -> bytes:
    """Labels from 0, as STL-10 counts them: from 1, one byte each."""
    return (labels + 1).astype(np.uint8).tobytes()


def lines(rows: Iterable[str]) -> bytes:
    """A text file: each row ends in a line feed."""
    return "".join(f"{row}\n" for row in rows).encode("ascii")


def idx_gz(values: NDArray[np.uint8]) -> bytes:
    """An array as MNIST has it: an idx file of bytes, in gzip's container without compression."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    content = header + values.tobytes()
    # no time, no name, unknown system: nothing but the content decides the bytes
    ending = struct.pack("<II", zlib.crc32(content), len(content))
    return b"".join([b"\x1f\x8b\x08", bytes(6), b"\xff", *stored(content), ending])


def stored(content: bytes) -> Iterator[bytes]:
    """A deflate stream that compresses nothing; at least one byte of `content` is needed."""
    for start in range(0, len(content), STORED):
        block = content[start : start + STORED]
        last = start + STORED >= len(content)
        yield struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF)
        yield block


def python2_pickle(values: Mapping[str, Value]) -> bytes:
    """A dictionary as Python 2's cPickle wrote CIFAR's: protocol 2, byte strings.

    Args:
        values: Strings of ASCII; numbers and numbers in lists from 0 to 65,535; matrices of bytes.
            Of the official files, the pickles of these values are the very bytes.
    """
    return _Python2Pickler().dumps(values)


class _Python2Pickler:
    """What cPickle remembers gets a number, in the order in which it was written, from 1."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._remembered = 0

    def dumps(self, values: Mapping[str, Value]) -> bytes:
        self._add(b"\x80\x02}")
        self._remember()
        self._add(b"(")
        for key, value in values.items():
            self._text(key)
            self._value(value)
        self._add(b"u.")
        return b"".join(self._parts)

    def _add(self, part: bytes) -> None:
        self._parts.append(part)

    def _remember(self) -> None:
        self._remembered += 1
        short = self._remembered < 256
        self._add(struct.pack("<cB" if short else "<cI", b"q" if short else b"r", self._remembered))

    def _value(self, value: Value) -> None:
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, int):
            self._number(value)
        elif isinstance(value, list):
            self._list(value)
        else:
            self._matrix(value)

    def _text(self, text: str) -> None:
        self._short(text.encode("ascii"))
        self._remember()

    def _short(self, content: bytes) -> None:
        self._add(b"U" + bytes([len(content)]) + content)

    def _number(self, value: int) -> None:
        self._add(
            struct.pack("<cB" if value < 256 else "<cH", b"K" if value < 256 else b"M", value)
        )

    def _list(self, values: list[str] | list[int]) -> None:
        self._add(b"]")
        self._remember()
        for start in range(0, len(values), BATCH):
            self._add(b"(")
            for value in values[start : start + BATCH]:
                self._value(value)
            self._add(b"e")

    def _matrix(self, values: NDArray[np.uint8]) -> None:
        # numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), "b"), then the array's state
        self._add(b"cnumpy.core.multiarray\n_reconstruct\n")
        self._remember()
        self._add(b"cnumpy\nndarray\n")
        self._remember()
        self._add(b"K\x00\x85")
        self._short(b"b")
        self._add(b"\x87R")
        self._remember()
        self._add(b"(K\x01")
        for length in values.shape:
            self._number(length)
        self._add(b"\x86cnumpy\ndtype\n")
        self._remember()
        self._short(b"u1")
        self._add(b"K\x00K\x01\x87R")
        self._remember()
        self._add(b"(K\x03")
        self._short(b"|")
        # no fields, no shape of its own, no alignment, no flags; in C order
        self._add(b"NNN" + 2 * struct.pack("<ci", b"J", -1) + b"K\x00tb\x89")
        content = values.tobytes()
        self._add(b"T" + struct.pack("<I", len(content)) + content + b"tb")
