"""Arrays of whole numbers in a Matlab file of level 5; of other arrays their kind and shape.

scipy's reader takes a file at its word: one of 336 bytes, with a kind of numbers that there is not,
ends the process (tests/outside/corpus).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.packed import TooLong

HEAD = 128
"""Bytes before the first element."""
TAG = struct.Struct("<II")
"""Kind of an element, and its length in bytes."""
TEXT, SIDES, FLAGS, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
"""Kinds of elements."""
NUMBERS = {1: "<i1", 2: "<u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 12: "<i8", 13: "<u8"}
"""Kinds of elements that hold whole numbers."""
KINDS = (
    "nothing", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8",
    "int16", "uint16", "int32", "uint32", "int64", "uint64",
)  # fmt: skip
"""What an array may be of, by its number."""
COMPLEX, LOGICAL = 0x8, 0x2
"""Flags of an array."""


@dataclass(frozen=True)
class Array:
    """An array of a file."""

    kind: str
    """Such as ``uint8``, as numpy calls it, or ``cell``."""
    shape: tuple[int, ...]
    values: NDArray[Any] | None
    """None where they are no whole numbers."""

    def __str__(self) -> str:
        return f"{self.kind} of shape {self.shape}"


def read_arrays(content: bytes, largest: int) -> dict[str, Array]:
    """The arrays of a file by their names.

    Args:
        content: The file.
        largest: Bytes that all of it may unpack to.

    Raises:
        TooLong: It unpacks to more.
        ValueError: It is cut, or no such file.
    """
    if content[HEAD - 4 : HEAD] != b"\x00\x01IM":
        raise ValueError("no Matlab file of level 5")
    arrays, total = {}, HEAD
    for kind, element in _elements(content[HEAD:], aligned=False):
        if kind == COMPRESSED:
            try:
                unpacked = zlib.decompressobj().decompress(element, largest + 1)
            except zlib.error as error:
                raise ValueError(f"a compressed element is damaged: {error}") from None
            total += len(unpacked)
            if total > largest:
                raise TooLong(f"unpacks to more than the {largest:,} bytes that it may have")
            kind, element = next(_elements(unpacked), (0, b""))
        if kind != MATRIX:
            raise ValueError(f"an element of kind {kind} that is no array")
        name, array = _array(element)
        arrays[name] = array
    return arrays


def _elements(content: bytes, aligned: bool = True) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each element.

    Args:
        content: Elements, one after the other.
        aligned: Whether each begins at a multiple of eight bytes.
    """
    place = 0
    while place < len(content):
        if place + TAG.size > len(content):
            raise ValueError("cut: an element begins where the file ends")
        kind, length = TAG.unpack_from(content, place)
        start = place + TAG.size
        if kind >> 16:  # four bytes or less lie in the tag itself
            kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
            if length > 4:
                raise ValueError(f"{length} bytes in a tag that has room for 4")
        end = start + length
        if end > len(content):
            raise ValueError(f"cut: an element of {length:,} bytes ends after the file")
        yield kind, content[start:end]
        place = max(end, place + TAG.size)
        if aligned:
            place += -place % TAG.size


def _array(element: bytes) -> tuple[str, Array]:
    """Name and content of an element that is an array."""
    parts = _elements(element)
    flags, sides, name = (_part(parts, kind) for kind in (FLAGS, SIDES, TEXT))
    if len(flags) != TAG.size or flags[0] >= len(KINDS):
        raise ValueError("an array of no kind that there is")
    kind = KINDS[flags[0]]
    shape = tuple(np.frombuffer(sides, "<i4").tolist())
    if not 2 <= len(shape) <= 8 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape[:8]}")
    values = None
    if flags[1] & LOGICAL:
        kind = "logical"
    elif flags[1] & COMPLEX:
        kind = f"complex {kind}"
    elif "int" in kind:
        values = _values(parts, kind, shape)
    return name.decode("ascii"), Array(kind, shape, values)


def _part(parts: Iterator[tuple[int, bytes]], expected: int) -> bytes:
    """The next part of an array."""
    kind, content = next(parts, (0, b""))
    if kind != expected:
        raise ValueError(f"a part of kind {kind} where one of kind {expected} belongs")
    return content


def _values(parts: Iterator[tuple[int, bytes]], kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of an array, which a file may hold in a smaller type."""
    stored, content = next(parts, (0, b""))
    if stored not in NUMBERS:
        raise ValueError(f"numbers of kind {stored}, which are not whole")
    numbers = np.frombuffer(content, NUMBERS[stored])
    if len(numbers) != math.prod(shape):
        raise ValueError(f"{len(numbers):,} numbers for an array of shape {shape}")
    limits = np.iinfo(kind)
    if len(numbers) and not limits.min <= numbers.min() <= numbers.max() <= limits.max:
        raise ValueError(f"numbers that no {kind} can be")
    return numbers.astype(kind).reshape(shape, order="F")
