"""Probabilities on disk: ``probabilities.parquet`` and ``snapshots.parquet``.

Columns: ``step`` (snapshots only), ``index`` (position in the dataset), ``sub_head``,
``probabilities`` (list of k float16). Rows are ordered by step, sub-head, index.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from iic.records import arrow
from iic.records.files import RecordError, atomic_file, write_bytes


def write_array(path: Path, values: npt.NDArray[Any]) -> None:
    """Write one array as .npy, whole or not at all."""
    with atomic_file(path) as file:
        np.save(file, values)


def read_array(path: Path) -> npt.NDArray[Any]:
    """Read an array that `write_array` wrote.

    Raises:
        RecordError: The file is absent or damaged.
    """
    try:
        result: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except (OSError, ValueError, EOFError) as error:
        raise RecordError(f"{path}: no array: {error}") from None
    return result


Indices = npt.NDArray[np.integer] | None
"""Positions in the dataset, (n,); None for 0 to n - 1."""


def write_probabilities(
    path: Path, probabilities: npt.NDArray[np.float16], indices: Indices = None
) -> None:
    """Write probabilities (n, h, k) of the images at `indices`."""
    _write(path, {None: probabilities}, indices)


def write_snapshots(
    path: Path, snapshots: dict[int, npt.NDArray[np.float16]], indices: Indices = None
) -> None:
    """Write the probabilities (n, h, k) of the images at `indices` at each step."""
    _write(path, dict(sorted(snapshots.items())), indices)


def read_probabilities(path: Path) -> npt.NDArray[np.float32]:
    """Probabilities (h, n, k), in the order of the assignments beside them.

    Raises:
        RecordError: The file is absent or damaged.
    """
    return next(iter(_read(path).values()))


def read_snapshots(path: Path) -> dict[int, npt.NDArray[np.float32]]:
    """Step -> probabilities (h, n, k), in the order of the assignments.

    Raises:
        RecordError: The file is absent or damaged.
    """
    return _read(path)


def _write(path: Path, blocks: dict[Any, npt.NDArray[np.float16]], indices: Indices) -> None:
    tables = []
    for step, block in blocks.items():
        number, heads, k = block.shape
        places = np.arange(number) if indices is None else indices
        values = np.ascontiguousarray(block.swapaxes(0, 1).astype(np.float16)).reshape(-1)
        columns = {
            "index": arrow.column(np.tile(places.astype(np.int32), heads)),
            "sub_head": arrow.column(np.repeat(np.arange(heads, dtype=np.uint8), number)),
            "probabilities": pa.FixedSizeListArray.from_arrays(arrow.column(values), k).cast(
                pa.list_(pa.float16())
            ),
        }
        if step is not None:
            steps = np.full(number * heads, step, dtype=np.int32)
            columns = {"step": arrow.column(steps)} | columns
        tables.append(pa.Table.from_arrays(list(columns.values()), names=list(columns)))
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())


def _read(path: Path) -> dict[int, npt.NDArray[np.float32]]:
    try:
        table = arrow.read(path)
        heads = int(arrow.values(table["sub_head"]).max()) + 1
        steps = (
            arrow.values(table["step"])
            if "step" in table.column_names
            else np.zeros(table.num_rows, dtype=np.int32)
        )
        lists = table["probabilities"].combine_chunks()
        values = arrow.values(lists.flatten())
        rows = values.reshape(table.num_rows, -1).astype(np.float32)
        return {
            int(step): rows[steps == step].reshape(heads, -1, rows.shape[1])
            for step in dict.fromkeys(steps)
        }
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except arrow.DAMAGED as error:
        raise RecordError(f"{path}: no probabilities: {error}") from None
