"""What is compressed as a whole, unpacked no further than it may be."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

AT_ONCE = 1 << 26
"""Bytes that a reader of a format may ask for at once: a tar file's header may say any number."""


OPENERS: Mapping[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""How a compressed file begins, and what reads it."""


LITTLE, RATIO = 1 << 28, 100
"""Bytes that anything may unpack to; how many times its size what unpacks to more may have."""


class TooLong(ValueError):
    """More comes out of a file than may."""


class Bounded(io.RawIOBase):
    """A stream of which no more than `most` bytes can be read.

    Args:
        stream: What is read.
        most: Bytes up to which it may be read.
    """

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, most: int) -> None:
        self._stream = stream
        self._most = most

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Forwards at least."""
        return True

    def tell(self) -> int:
        """Bytes from the start."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place.

        Raises:
            TooLong: It lies beyond what may be read.
        """
        if whence == io.SEEK_SET:
            self._check(offset)
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read the next `size` bytes.

        Raises:
            TooLong: They are too many at once, or lie beyond what may be read.
        """
        if size > AT_ONCE:
            raise TooLong(f"asks for {size:,} bytes at once, more than {AT_ONCE:,}")
        content = self._stream.read(AT_ONCE if size < 0 else size)
        self._check(self._stream.tell())
        return content

    def _check(self, place: int) -> None:
        if place > self._most:
            raise TooLong(f"unpacks to more than the {self._most:,} bytes that it may have")


def check_ratio(unpacked: int, packed: int) -> None:
    """Refuse what unpacks to a multiple of its size that no images have.

    Raises:
        TooLong: It does, and is not little either.
    """
    if unpacked > max(LITTLE, RATIO * packed):
        raise TooLong(
            f"unpacks to {unpacked:,} bytes, more than {RATIO} times its {packed:,} and than "
            f"{LITTLE:,}"
        )


def decompressed(path: Path) -> IO[bytes]:
    """What is in a file, compressed by gzip, bzip2 or xz, or not compressed."""
    with path.open("rb") as file:
        head = file.read(8)
    for begin, opener in OPENERS.items():
        if head.startswith(begin):
            stream: IO[bytes] = opener(path)
            return stream
    return path.open("rb")


def check_gzip(path: Path, most: int) -> None:
    """Unpack a gzip file once, in bounded memory.

    Raises:
        TooLong: It unpacks to more than `most` bytes.
        OSError, EOFError, zlib.error: It is damaged.
    """
    with gzip.open(path) as file:
        stream = Bounded(file, most)
        while stream.read(1 << 20):
            pass
