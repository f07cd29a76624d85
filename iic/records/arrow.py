"""Arrow columns made from NumPy arrays, and read into them, without pandas.

pyarrow's own conversions and `pyarrow.parquet.read_table` import pandas, which would cost every
process that trains or scores a run half a second; buffers and `numpy.from_dlpack` do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

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
    """A parquet file.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        pa.ArrowException: It is no parquet file.
    """
    with pq.ParquetFile(path) as file:
        return file.read()


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
