"""Scores against labels that a user has, each under its own name. Nothing is trained with them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iic.evaluate.matching import contingency, many_to_one, one_to_one
from iic.evaluate.metrics import accuracy, ari, nmi
from iic.own.errors import OwnDataError
from iic.own.sources import LABEL_COLUMNS, PATH_COLUMNS, column, read_table

FOLDERS = "folders"
"""In place of a file: the name of the folder that each image lies in."""


class Scores(NamedTuple):
    """A clustering against labels, in percent."""

    name: str
    one_to_one: float
    """Accuracy where each cluster has a label of its own (Hungarian)."""
    many_to_one: float
    """Accuracy where each cluster has its most frequent label; the same as purity."""
    nmi: float
    ari: float


class Labels(NamedTuple):
    """Labels of the images that have one.

    Args:
        rows: Their rows in the table of assignments, (m,).
        classes: Names, ascending.
        indices: Label of each, (m,).
        without: Images without label.
    """

    rows: NDArray[np.int64]
    classes: list[str]
    indices: NDArray[np.int64]
    without: int


def labels_of(table: pd.DataFrame, source: str) -> Labels:
    """Labels for the rows of a table of assignments.

    Args:
        table: With a column ``path``, and ``label`` where the listing had any.
        source: `FOLDERS`, or a csv, tsv or parquet file with columns of paths and of labels.

    Raises:
        OwnDataError: There are no labels, or some for images that are not there.
    """
    if source == FOLDERS:
        if "label" not in table:
            raise OwnDataError(
                "--labels folders: the images lie in no subfolders\n  allowed: a csv file"
            )
        labels = table["label"].map(lambda value: value or None)
    else:
        labels = table["path"].map(_from_file(Path(source), set(table["path"])))
    rows = np.flatnonzero(labels.notna())
    if not len(rows):
        raise OwnDataError(f"--labels {source}: no image has a label")
    classes, indices = np.unique(labels.to_numpy()[rows].astype(str), return_inverse=True)
    return Labels(rows, [str(name) for name in classes], indices, len(table) - len(rows))


def _from_file(path: Path, names: set[str]) -> dict[str, str]:
    if not path.is_file():
        raise OwnDataError(f"--labels {path}: no such file\n  allowed: {FOLDERS}, or a csv file")
    table = read_table(path)
    paths = table[column(table, PATH_COLUMNS, path)].astype(str)
    values = table[column(table, LABEL_COLUMNS, path)].astype(str)
    absent = [name for name in paths if name not in names]
    if absent:
        raise OwnDataError(
            f"{path}: {len(absent):,} labels are for images that the model does not know, the "
            f"first for {absent[0]!r}\n  remedy: paths as in assignments.csv"
        )
    return {name: value for name, value in zip(paths, values, strict=True) if value}


def scores(name: str, clusters: NDArray[np.int64], labels: Labels, k: int) -> Scores:
    """Scores of a clustering of all images, (n,)."""
    own, given = clusters[labels.rows], labels.indices
    counts = contingency(own, given, k, len(labels.classes))
    return Scores(
        name,
        accuracy(counts, one_to_one(counts)),
        accuracy(counts, many_to_one(counts)),
        nmi(own, given),
        ari(own, given),
    )


def confusion(clusters: NDArray[np.int64], labels: Labels, k: int) -> NDArray[np.int64]:
    """Images of each label (rows) in each cluster (columns), (classes, k)."""
    return contingency(clusters[labels.rows], labels.indices, k, len(labels.classes)).T
