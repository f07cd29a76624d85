"""``probabilities.parquet`` of a segmentation run: maps of the images that figures show.

Columns: ``index`` (position in the dataset), ``sub_head``, ``probabilities`` (list of k x height x
width float16, row after row). Rows are ordered by sub-head, then index; all maps are of one size.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from iic.records import arrow
from iic.records.files import RecordError, write_bytes


class KeptMaps(NamedTuple):
    """Probabilities of some images."""

    indices: npt.NDArray[np.int64]
    """(m,) positions in the dataset, ascending."""
    probabilities: npt.NDArray[np.float16]
    """(h, m, k, height, width)."""


def write_maps(
    path: Path, probabilities: npt.NDArray[np.float16], indices: npt.NDArray[np.integer]
) -> None:
    """Write maps (m, h, k, height, width) of the images at `indices`.

    Raises:
        ValueError: There is not one map an index.
        RecordError: The file cannot be written; nothing is left half-written.
    """
    number, heads, *shape = probabilities.shape
    if indices.shape != (number,):
        raise ValueError(f"{number} maps for {len(indices)} images")
    values = np.ascontiguousarray(probabilities.swapaxes(0, 1)).reshape(-1)
    columns = {
        "index": arrow.column(np.tile(indices.astype(np.int32), heads)),
        "sub_head": arrow.column(np.repeat(np.arange(heads, dtype=np.uint8), number)),
        "probabilities": pa.FixedSizeListArray.from_arrays(
            arrow.column(values.astype(np.float16)), int(np.prod(shape))
        ).cast(pa.list_(pa.float16())),
    }
    table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
    k, height, width = shape
    table = table.replace_schema_metadata({"k": str(k), "height": str(height), "width": str(width)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_maps(path: Path) -> KeptMaps:
    """Read what `write_maps` wrote.

    Raises:
        RecordError: The file is absent or damaged.
    """
    try:
        table = arrow.read(path)
        metadata = table.schema.metadata
        shape = [int(metadata[key]) for key in (b"k", b"height", b"width")]
        sub_heads = arrow.values(table["sub_head"])
        heads = int(sub_heads.max()) + 1
        lists = table["probabilities"].combine_chunks()
        values = arrow.values(lists.flatten())
        number = table.num_rows // heads
        indices = arrow.values(table["index"])[:number].astype(np.int64)
        return KeptMaps(indices, values.reshape(heads, number, *shape))
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except arrow.DAMAGED as error:
        raise RecordError(f"{path}: no maps of probabilities: {error}") from None
