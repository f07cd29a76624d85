"""Arrow columns made from NumPy arrays, and read into them, without pandas.

pyarrow's own conversions and `pyarrow.parquet.read_table` import pandas, which would cost every
process that trains or scores a run half a second; buffers and `numpy.from_dlpack` do not.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from iic.records.files import regular_file
from iic.records.parquet_footer import Chunk, read_chunks

MOST, RATIO, LITTLE = 1 << 31, 200, 1 << 28
"""Bytes that a file may take in memory: at most so many in all, and of more than a little so many
times its own. Scale ``paper`` keeps 1.4 GB at most, in files a tenth as large."""
LONGEST = 100
"""Letters of a word that rows have in common."""
DAMAGED = (OSError, pa.ArrowException, AttributeError, LookupError, TypeError, ValueError)
"""What reading the columns of a damaged file may raise."""

KINDS = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "float16": pa.float16(),
}


def column(values: npt.NDArray[Any]) -> pa.Array:
    """A one-dimensional array as an Arrow column without nulls.

    Raises:
        KeyError: An element type that no record uses.
    """
    kind = KINDS[values.dtype.name]
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def codes(values: npt.NDArray[np.integer], names: Sequence[str]) -> pa.Array:
    """Indices into `names` as an Arrow column of these words, without nulls."""
    words = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, words)], dtype=np.int32)
    dictionary = pa.StringArray.from_buffers(
        len(words), pa.py_buffer(ends), pa.py_buffer(b"".join(words))
    )
    return pa.DictionaryArray.from_arrays(column(values), dictionary)


def read(path: Path) -> pa.Table:
    """A parquet file of numbers, lists of numbers and words, which are stored once each.

    A few kilobytes can stand for any number of equal values. So types and sizes are checked by what
    the file says of itself, before any of it is unpacked.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        pa.ArrowException: It is no such file, or takes too much memory.
    """
    try:
        with regular_file(path) as opened, pq.ParquetFile(opened) as file:
            own = os.fstat(opened.fileno()).st_size
            size, most = _size(file, read_chunks(opened)), min(max(RATIO * own, LITTLE), MOST)
            if size > most:
                raise pa.ArrowInvalid(
                    f"takes {size:,} bytes of memory, more than the {most:,} that a file of its "
                    "size may take"
                )
            # one column at a time: a page may unpack to more than the file says of itself
            return file.read(use_threads=False)
    except (OSError, pa.ArrowException):
        raise
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise pa.ArrowInvalid(f"{type(error).__name__}: {error}") from error


def _size(file: pq.ParquetFile, chunks: Sequence[Chunk]) -> int:
    rows = file.metadata.num_rows
    packed = sum(max(chunk.unpacked, 0) for chunk in chunks)
    # as many values as there are, and no fewer than the rows: absent ones take room, too
    length = max([rows, *(chunk.values for chunk in chunks)])
    widths = [_width(field, length, rows) for field in file.schema_arrow]
    return int(max(packed, sum(widths)))


def _width(field: pa.Field, values: int, rows: int) -> Any:
    """Bytes of a column of so many rows, with so many values where it holds lists."""
    kind = field.type
    if pa.types.is_fixed_size_list(kind):
        return rows * max(kind.list_size, 0) * _bytes(field, kind.value_type)
    if pa.types.is_list(kind):
        return rows * 4 + values * _bytes(field, kind.value_type)
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        return rows * _bytes(field, kind.index_type)
    return rows * _bytes(field, kind)


def _bytes(field: pa.Field, kind: pa.DataType) -> int:
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise pa.ArrowInvalid(f"column {field.name!r} is {field.type}, which no record has")
    width: int = kind.bit_width // 8
    return width


def words(column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], list[str]]:
    """A column of words that rows have in common: which of them each row has, and the words.

    Raises:
        pa.ArrowException: It has nulls, something else than words, or a long one.
    """
    if not pa.types.is_dictionary(column.type):
        raise pa.ArrowInvalid(f"{column.type} in place of words")
    flat = column.unify_dictionaries().combine_chunks()
    names = (
        [str(name) for name in flat.dictionary.to_pylist()] if len(flat.dictionary) < 100 else []
    )
    if not names or max(map(len, names)) > LONGEST or len(set(names)) < len(names):
        raise pa.ArrowInvalid(f"no words, more than 100 of them or one longer than {LONGEST}")
    return values(flat.indices), names


def values(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """A column of numbers as an array, which may be read-only.

    Raises:
        pa.ArrowException: It has nulls, or something else than numbers.
    """
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    try:
        return np.from_dlpack(flat)
    except BufferError as error:
        raise pa.ArrowInvalid(str(error)) from None
