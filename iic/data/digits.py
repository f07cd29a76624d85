"""scikit-learn's digits: 1,797 real handwritten digits, 8x8, laid out like MNIST.

MNIST's own digits were normalised to a box of 20x20 pixels and centred in 28x28. The 8x8 images
have no such border, so each is rescaled from 0..16 to 0..255, enlarged to 20x20 (bilinear) and
given a border of four zeros: 28x28, to which the paper's MNIST transforms apply unchanged.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.batches import Batch, whole_numbers
from iic.data.errors import DataError, replace_files
from iic.params.datasets import Dataset

SIDE, LEVELS = 8, 16
"""Pixels a side and greatest grey value in the source."""
BOX, BORDER = 20, 4
"""Pixels: MNIST's box, and the zeros on each side of it."""


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read ``digits.csv.gz``: one image a line, 64 grey values and the digit.

    Yields:
        All images, (1797, 1, 28, 28), with labels 0 to 9.

    Raises:
        DataError: The file is cut, corrupt, or holds other rows, columns or values than expected.
    """
    path = raw / dataset.files[0].name
    table = _table(path, rows=dataset.count, columns=SIDE * SIDE + 1)
    grey = whole_numbers(table[:, :-1], path, 0, LEVELS).reshape(-1, SIDE, SIDE)
    labels = whole_numbers(table[:, -1], path, 0, len(dataset.classes) - 1)
    yield Batch(lay_out(grey)[:, None], labels)


def lay_out(grey: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Turn grey values 0..16, (n, 8, 8), into MNIST's layout, (n, 28, 28)."""
    weights = _bilinear_weights(SIDE, BOX)
    # sums of whole numbers, rounded once and halves up: the same bytes on every machine, which
    # a library's floating point does not promise
    total = np.einsum("ia,nab,jb->nij", weights, grey, weights)
    unit = LEVELS * int(weights[0].sum()) ** 2
    box = (255 * total + unit // 2) // unit
    return np.pad(box, ((0, 0), (BORDER, BORDER), (BORDER, BORDER))).astype(np.uint8)


def _bilinear_weights(size: int, new_size: int) -> NDArray[np.int64]:
    """Linear interpolation between pixel centres, edges repeated, as (new_size, size) integers.

    Every row sums to 2 * wanted.
    """
    weights = np.zeros((new_size, size), dtype=np.int64)
    for row in range(new_size):
        # centre of the new pixel on the old grid, in units of 1 / (2 new_size)
        below, fraction = divmod((2 * row + 1) * size - new_size, 2 * new_size)
        weights[row, max(below, 0)] += 2 * new_size - fraction
        weights[row, min(below + 1, size - 1)] += fraction
    return weights


def _table(path: Path, rows: int, columns: int) -> NDArray[np.float64]:
    remedy = replace_files(path.parent)
    try:
        text = gzip.decompress(path.read_bytes()).decode("ascii")
        table = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: cut or corrupt: {error}{remedy}") from error
    if table.shape != (rows, columns):
        raise DataError(
            f"{path}: {table.shape[0]:,} rows of {table.shape[1]} columns, "
            f"expected {rows:,} of {columns}{remedy}"
        )
    return table
