"""``assignments.parquet``: the cluster of every evaluated image, enough to recompute each metric.

Columns: ``checkpoint`` (``last`` or ``best_label``), ``index`` (position in the dataset,
ascending), ``label`` (null where the image has none), then ``sub_head_0`` ... with the cluster that
each sub-head gives the image, as small integers.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from iic.records import arrow
from iic.records.files import RecordError, write_bytes

PREFIX = "sub_head_"


@dataclass(frozen=True)
class Assignments:
    """Assignments at one checkpoint.

    Args:
        clusters: (n, h) small integers.
        labels: (n,) classes, -1 where an image has none; None where no image has one.
        indices: (n,) positions in the dataset, ascending.
    """

    clusters: npt.NDArray[np.integer]
    labels: npt.NDArray[np.int64] | None
    indices: npt.NDArray[np.int64]


def write_assignments(
    path: Path,
    checkpoints: dict[str, npt.NDArray[np.integer]],
    labels: npt.NDArray[np.integer] | None,
    indices: npt.NDArray[np.integer] | None = None,
) -> None:
    """Write the clusters of each checkpoint.

    Args:
        path: File.
        checkpoints: Clusters (n, h) by checkpoint.
        labels: Classes (n,), -1 where there is none; None where no image has one.
        indices: Positions of the n images in the dataset, ascending; 0 to n - 1 by default.

    Raises:
        ValueError: The shapes differ, or a cluster is negative or above 65,535.
        RecordError: The file cannot be written; nothing is left half-written.
    """
    names = list(checkpoints)
    blocks = [checkpoints[name] for name in names]
    number, heads = blocks[0].shape
    if any(block.shape != (number, heads) for block in blocks):
        raise ValueError(f"checkpoints of different shapes: {[block.shape for block in blocks]}")
    if labels is not None and labels.shape != (number,):
        raise ValueError(f"labels of shape {labels.shape} for {number} images")
    if indices is None:
        indices = np.arange(number)
    if indices.shape != (number,) or not _ascending(indices):
        raise ValueError(f"indices of shape {indices.shape} for {number} images, or not ascending")
    if any(block.size and (block.min() < 0 or block.max() > 65535) for block in blocks):
        raise ValueError("a cluster is negative or above 65,535")
    small = np.uint8 if max(int(block.max(initial=0)) for block in blocks) < 256 else np.uint16
    checkpoint = np.repeat(np.arange(len(names), dtype=np.int8), number)
    columns: dict[str, Any] = {
        "checkpoint": arrow.codes(checkpoint, names),
        "index": arrow.column(np.tile(indices.astype(np.int32), len(names))),
        "label": _labels(labels, number, len(names)),
    }
    for head in range(heads):
        joined = np.concatenate([block[:, head] for block in blocks])
        columns[f"{PREFIX}{head}"] = arrow.column(joined.astype(small))
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(list(columns.values()), names=list(columns)),
        buffer,
        compression="zstd",
        store_schema=True,
        # differences of 1 take no room; as a dictionary the index was half of the file
        use_dictionary=[name for name in columns if name != "index"],
        column_encoding={"index": "DELTA_BINARY_PACKED"},
    )
    write_bytes(path, buffer.getvalue())


def _ascending(indices: npt.NDArray[np.integer]) -> bool:
    return bool(np.all(np.diff(indices) > 0) and (not len(indices) or indices[0] >= 0))


def _labels(labels: npt.NDArray[np.integer] | None, number: int, times: int) -> pa.Array:
    if labels is None:
        return pa.nulls(number * times, pa.int16())
    repeated = np.tile(labels.astype(np.int16), times)
    absent = repeated < 0
    if not absent.any():
        return arrow.column(repeated)
    present = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(
        pa.int16(), len(repeated), [present, pa.py_buffer(repeated)], int(absent.sum())
    )


def read_assignments(path: Path) -> dict[str, Assignments]:
    """Assignments by checkpoint.

    Raises:
        RecordError: The file is absent, damaged, or lacks a column.
    """
    try:
        table = arrow.read(path)
        codes, names = arrow.words(table["checkpoint"])
        indices = arrow.values(table["index"])
        heads = sum(name.startswith(PREFIX) for name in table.column_names)
        clusters = np.stack(
            [arrow.values(table[f"{PREFIX}{head}"]) for head in range(heads)], axis=1
        )
        labelled = table["label"]
        labels = (
            None
            if labelled.null_count == table.num_rows
            else arrow.values(labelled.fill_null(-1) if labelled.null_count else labelled).astype(
                np.int64
            )
        )
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except arrow.DAMAGED as error:
        raise RecordError(f"{path}: no assignments: {error}") from None
    result: dict[str, Assignments] = {}
    for code in dict.fromkeys(codes.tolist()):
        name, chosen = names[code], codes == code
        of_checkpoint = indices[chosen].astype(np.int64)
        if not _ascending(of_checkpoint):
            raise RecordError(f"{path}: checkpoint {name}: indices do not ascend")
        first = next(iter(result.values()), None)
        if first is not None and not np.array_equal(of_checkpoint, first.indices):
            raise RecordError(f"{path}: checkpoint {name}: other images than the one before")
        result[name] = Assignments(
            clusters[chosen], None if labels is None else labels[chosen], of_checkpoint
        )
    return result
