"""Arrow columns made from NumPy buffers.

pyarrow's own conversion of arrays imports pandas, which would cost every training process a
second; buffers do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

KINDS = {
    "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(),
    "uint8": pa.uint8(), "uint16": pa.uint16(), "float16": pa.float16(),
}  # fmt: skip


def column(values: npt.NDArray[Any]) -> pa.Array:
    """A one-dimensional array as an Arrow column without nulls.

    Raises:
        KeyError: An element type that no record uses.
    """
    kind = KINDS[values.dtype.name]
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
