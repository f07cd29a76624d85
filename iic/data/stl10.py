"""STL-10: 96x96 colour images, 13,000 with labels and 100,000 without, in its binary files.

The images are stored column after column, the labels count from 1, and ``fold_indices.txt`` has the
ten folds of 1,000 training images each by which supervised results are to be reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.batches import Batch
from iic.data.errors import DataError, replace_files
from iic.params.datasets import CATALOGUE, Dataset
from iic.params.escaping import quoted

FOLDER = "stl10_binary"
LABELLED, UNLABELLED = ("train", "test"), "unlabeled"
FOLDS = 10
CHUNK = 1000
"""Images read at once: 28 MB of the 2.8 GB without labels."""


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read the images of each split, in pieces.

    Yields:
        Batches of at most `CHUNK` images (n, 3, 96, 96), labels 0 to 9 or None.

    Raises:
        DataError: A file is missing, has another length or label than expected, or names other
            classes.
    """
    folder = raw / FOLDER
    names = _text(folder / "class_names.txt").split()
    if tuple(names) != dataset.classes:
        raise _wrong(
            folder / "class_names.txt",
            f"names {', '.join(names) or 'nothing'}, expected {', '.join(dataset.classes)}",
        )
    for split, count in dataset.splits.items():
        if split not in (*LABELLED, UNLABELLED):
            files = ", ".join((*LABELLED, UNLABELLED))
            raise DataError(f"{CATALOGUE}: {raw.name}.splits: {split!r} is none of {files}")
        labels = None
        if split in LABELLED:
            labels = _labels(folder / f"{split}_y.bin", count, len(dataset.classes))
        start = 0
        for images in _images(folder / f"{split}_X.bin", count, dataset.image.shape):
            stop = start + len(images)
            yield Batch(images, None if labels is None else labels[start:stop])
            start = stop


def folds(raw: Path, dataset: Dataset) -> tuple[tuple[int, ...], ...]:
    """Read the predefined folds.

    Returns:
        For each of the ten folds the places of its training images in the dataset's arrays, in
        the order of the file.

    Raises:
        DataError: The file is missing or holds other lines than ten of places in the training set,
            equally long, without repetition.
    """
    path = raw / FOLDER / "fold_indices.txt"
    if "train" not in dataset.splits:
        raise DataError(f"{CATALOGUE}: {raw.name}.splits: no 'train', which the folds divide")
    before = takewhile(lambda split: split != "train", dataset.splits)
    start, size = sum(dataset.splits[split] for split in before), dataset.splits["train"]
    rows = [line.split() for line in _text(path).splitlines() if line.strip()]
    if len(rows) != FOLDS:
        raise _wrong(path, f"{len(rows)} lines, expected {FOLDS}")
    images_by_fold = []
    for number, row in enumerate(rows, start=1):
        for word in row:
            if not re.fullmatch("[0-9]{1,9}", word) or int(word) >= size:
                raise _wrong(
                    path,
                    f"line {number}: {quoted(repr(word), 60)} is no number from 0 to {size - 1:,}",
                )
        if len(row) != len(rows[0]):
            raise _wrong(path, f"line {number}: {len(row):,} numbers, expected {len(rows[0]):,}")
        fold = tuple(start + int(word) for word in row)
        if len(set(fold)) < len(fold):
            raise _wrong(path, f"line {number}: a number stands there twice")
        images_by_fold.append(fold)
    return tuple(images_by_fold)


def _images(path: Path, count: int, shape: tuple[int, int, int]) -> Iterator[NDArray[np.uint8]]:
    channels, height, width = shape
    pixels = channels * height * width
    _check_size(path, count * pixels)
    with path.open("rb") as file:
        for start in range(0, count, CHUNK):
            content = file.read(min(CHUNK, count - start) * pixels)
            columns = np.frombuffer(content, np.uint8).reshape(-1, channels, width, height)
            yield columns.transpose(0, 1, 3, 2)


def _labels(path: Path, count: int, classes: int) -> NDArray[np.int64]:
    _check_size(path, count)
    labels = np.frombuffer(path.read_bytes(), np.uint8).astype(np.int64)
    wrong = np.flatnonzero((labels < 1) | (labels > classes))
    if len(wrong):
        raise _wrong(
            path, f"label {labels[wrong[0]]} at index {wrong[0]:,}, expected 1 to {classes}"
        )
    return labels - 1


def _check_size(path: Path, expected: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if size != expected:
        raise _wrong(path, f"{size:,} bytes, expected {expected:,}")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, f"byte {error.start} is no ASCII") from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return _wrong(path, f"cannot be read: {error.strerror}")


def _wrong(path: Path, problem: str) -> DataError:
    return DataError(f"{path}: {problem}{replace_files(path.parents[1])}")
