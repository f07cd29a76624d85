"""What a parquet file says of the sizes of its columns, without asking pyarrow for it.

pyarrow ends the process where the description of a column contradicts itself and is asked for
(tests/outside/corpus). A whole file it reads or refuses. The description is Thrift, in its compact
form: https://parquet.apache.org/docs/file-format/metadata.
"""

from __future__ import annotations

import io
from typing import IO, Any, NamedTuple

MAGIC = b"PAR1"
MOST = 1 << 20
"""Bytes of a description; of a million rows and ten columns it has two thousand."""
DEEPEST = 16
"""Structures and lists in each other."""
TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
ROW_GROUPS, COLUMNS, OF_CHUNK, VALUES, UNPACKED = 4, 1, 3, 5, 6
"""Numbers of fields: of the file, a row group, a chunk; the last two of what describes a chunk."""


class Chunk(NamedTuple):
    """A column of a row group."""

    values: int
    unpacked: int
    """Bytes."""


def read_chunks(file: IO[bytes]) -> list[Chunk]:
    """The chunks of a parquet file; the file's position is kept.

    Raises:
        ValueError: It is no such file, or damaged.
    """
    before = file.tell()
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 8))
        end = file.read()
        length = int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or length > min(size - 8, MOST):
            raise ValueError("no parquet file, or one whose description is damaged")
        file.seek(size - 8 - length)
        described = _Thrift(file.read(length)).fields()
        return [
            Chunk(*(int(chunk[OF_CHUNK][field]) for field in (VALUES, UNPACKED)))
            for group in described[ROW_GROUPS]
            for chunk in group[COLUMNS]
        ]
    except (LookupError, TypeError) as error:
        raise ValueError(f"a description without field {error}") from None
    finally:
        file.seek(before)


class _Thrift:
    """Structures as dictionaries from a field's number to its value."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0
        self._depth = 0

    def fields(self) -> dict[int, Any]:
        """The next structure."""
        self._descend()
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step, kind = divmod(head, 16)
            number = number + step if step else self._integer()
            found[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind)
        self._depth -= 1
        return found

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (SHORT, INTEGER, LONG):
            return self._integer()
        if kind in (DOUBLE, BINARY, UUID):
            return self._skipped(self._number() if kind == BINARY else 8 if kind == DOUBLE else 16)
        if kind in (LIST, SET):
            count, element = divmod(self._byte(), 16)
            return self._several(self._number() if count == 15 else count, element)
        if kind == MAP:
            count = self._number()
            kinds = divmod(self._byte(), 16) if count else (BYTE, BYTE)
            return self._several(count, *kinds)
        if kind == STRUCT:
            return self.fields()
        raise ValueError(f"a description with a value of kind {kind}")

    def _several(self, count: int, *kinds: int) -> list[Any]:
        if count > len(self._content):
            raise ValueError(f"a description with a list of {count:,}")
        self._descend()
        values = [self._value(kind) for _ in range(count) for kind in kinds]
        self._depth -= 1
        return values

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} structures and lists in each other")

    def _skipped(self, length: int) -> None:
        self._place += length

    def _integer(self) -> int:
        number = self._number()
        return number >> 1 ^ -(number & 1)

    def _number(self) -> int:
        number, shift = 0, 0
        while shift < 70:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ValueError("a description with a number of more than ten bytes")

    def _byte(self) -> int:
        byte = self._content[self._place]
        self._place += 1
        return byte
