"""``assignments.parquet`` of a segmentation run: pixels of every cluster and class, by image.

Enough to recompute each metric without a network, for any matching and any part of the images.
Columns: ``checkpoint`` (``last`` or ``best_label``), ``index`` (position in the dataset,
ascending), then ``sub_head_0`` ... with the k x classes counts of that sub-head, row after row.
Pixels that are not scored are in none of them.
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
from iic.records.assignments import PREFIX
from iic.records.files import RecordError, write_bytes


@dataclass(frozen=True)
class Counts:
    """Counts at one checkpoint.

    Args:
        counts: Pixels by image, sub-head, cluster and class, (n, h, k, classes).
        indices: (n,) positions in the dataset, ascending.
    """

    counts: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int64]


def write_counts(
    path: Path,
    checkpoints: dict[str, npt.NDArray[np.integer]],
    indices: npt.NDArray[np.integer],
) -> None:
    """Write the counts of each checkpoint.

    Args:
        path: File.
        checkpoints: Counts (n, h, k, classes) by checkpoint.
        indices: Positions of the n images in the dataset, ascending.

    Raises:
        ValueError: The shapes differ, a count is negative, or the indices do not ascend.
        RecordError: The file cannot be written; nothing is left half-written.
    """
    names = list(checkpoints)
    blocks = [checkpoints[name] for name in names]
    number, heads, k, classes = blocks[0].shape
    if any(block.shape != blocks[0].shape for block in blocks):
        raise ValueError(f"checkpoints of different shapes: {[block.shape for block in blocks]}")
    if indices.shape != (number,) or np.any(np.diff(indices) <= 0):
        raise ValueError(f"indices of shape {indices.shape} for {number} images, or not ascending")
    if any(block.size and block.min() < 0 for block in blocks):
        raise ValueError("a count is negative")
    checkpoint = np.repeat(np.arange(len(names), dtype=np.int8), number)
    columns: dict[str, Any] = {
        "checkpoint": arrow.codes(checkpoint, names),
        "index": arrow.column(np.tile(indices.astype(np.int32), len(names))),
    }
    for head in range(heads):
        joined = np.concatenate([block[:, head].reshape(number, -1) for block in blocks])
        values = arrow.column(joined.astype(np.int32).reshape(-1))
        columns[f"{PREFIX}{head}"] = pa.FixedSizeListArray.from_arrays(values, k * classes)
    table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
    # the matrices' shape, which their length alone does not tell
    table = table.replace_schema_metadata({"k": str(k), "classes": str(classes)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_counts(path: Path) -> dict[str, Counts]:
    """Counts by checkpoint.

    Raises:
        RecordError: The file is absent, damaged, or lacks a column.
    """
    try:
        table = arrow.read(path)
        shape = (int(table.schema.metadata[b"k"]), int(table.schema.metadata[b"classes"]))
        codes, names = arrow.words(table["checkpoint"])
        indices = arrow.values(table["index"]).astype(np.int64)
        heads = sum(name.startswith(PREFIX) for name in table.column_names)
        per_head = [
            arrow.values(table[f"{PREFIX}{head}"].combine_chunks().flatten())
            for head in range(heads)
        ]
        counts = np.stack([flat.reshape(table.num_rows, *shape) for flat in per_head], axis=1)
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except arrow.DAMAGED as error:
        raise RecordError(f"{path}: no counts of pixels: {error}") from None
    if counts.size and counts.min() < 0:
        raise RecordError(f"{path}: a count is negative")
    result: dict[str, Counts] = {}
    for code in dict.fromkeys(codes.tolist()):
        name, chosen = names[code], codes == code
        checkpoint_counts = Counts(counts[chosen], indices[chosen])
        first = next(iter(result.values()), checkpoint_counts)
        if np.any(np.diff(checkpoint_counts.indices) <= 0) or not np.array_equal(
            checkpoint_counts.indices, first.indices
        ):
            raise RecordError(f"{path}: checkpoint {name}: indices do not ascend, or are others")
        result[name] = checkpoint_counts
    # a pixel's class does not depend on who looks: every sub-head and checkpoint counts the same
    totals = np.concatenate(
        [of_checkpoint.counts.sum(axis=2) for of_checkpoint in result.values()], axis=1
    )
    if not (totals == totals[:, :1]).all():
        raise RecordError(f"{path}: sub-heads or checkpoints disagree on the pixels of a class")
    return result
