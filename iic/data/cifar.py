"""CIFAR's batches, which CIFAR-10 and CIFAR-100 share.

torchvision's classes are of no use: they unpickle whatever the file asks for.
`iic.data.cifar_pickle` builds nothing but what the format has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iic.data.batches import Batch
from iic.data.cifar_pickle import Forbidden, parse
from iic.data.errors import DataError, replace_files
from iic.params.datasets import CATALOGUE, Dataset
from iic.params.escaping import quoted

LARGEST = 1 << 28
"""Bytes of a file; CIFAR-100's training set has 155 MB."""


def load(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of numbers, text, flat lists of both, and byte arrays (n, m).

    Python 2's strings come as bytes, the keys as text.

    Raises:
        DataError: The file is missing, too large, cut, no pickle of a dictionary, or asks for
            anything else (nothing of it is run); names the file and the remedy.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise _wrong(path, f"has more than the {LARGEST:,} bytes that a file of CIFAR may have")
        values = parse(path.read_bytes())
    except Forbidden as error:
        raise _wrong(path, f"no CIFAR file: {quoted(error)}") from None
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _wrong(path, f"cut or no pickle: {quoted(error)}") from error
    if not isinstance(values, dict):
        raise _wrong(path, f"holds a {type(values).__name__}, expected a dictionary")
    return values


def read(
    raw: Path, dataset: Dataset, files: Mapping[str, Sequence[str]], label_key: str
) -> Iterator[Batch]:
    """Read the images of all splits, one file at a time.

    Args:
        raw: The dataset's raw folder.
        dataset: The catalogue's entry.
        files: Split -> its files below `raw`, in order.
        label_key: Key of the labels.

    Yields:
        A batch for each file, images (n, channels, height, width).

    Raises:
        DataError: A file is missing, damaged, or holds another number, shape or type of images or
            labels than expected.
    """
    for split, expected in dataset.splits.items():
        if split not in files:
            raise DataError(
                f"{CATALOGUE}: {raw.name}.splits: {split!r} is none of {', '.join(files)}"
            )
        images = 0
        for name in files[split]:
            batch = _batch(raw / name, dataset, label_key)
            images += len(batch.images)
            yield batch
        if images != expected:
            raise DataError(
                f"{raw}: {images:,} images in {', '.join(files[split]) or 'no file'}, expected "
                f"{expected:,} ({CATALOGUE}: {raw.name}.splits.{split}){replace_files(raw)}"
            )


def check_names(path: Path, key: str, dataset: Dataset) -> None:
    """Check that the source numbers the classes as the catalogue does.

    Raises:
        DataError: It names others, or in another order.
    """
    names = load(path).get(key)
    if not isinstance(names, list) or tuple(map(_text, names)) != dataset.classes:
        read = ", ".join(map(_text, names)) if isinstance(names, list) else type(names).__name__
        raise _wrong(
            path, f"{key} is {quoted(read)}, expected the classes {', '.join(dataset.classes)}"
        )


def _batch(path: Path, dataset: Dataset, label_key: str) -> Batch:
    content = load(path)
    for key in ("data", label_key):
        if key not in content:
            raise _wrong(path, f"has no {key!r} among {quoted(', '.join(content))}")
    data, labels = content["data"], content[label_key]
    pixels = int(np.prod(dataset.image.shape))
    if not isinstance(data, np.ndarray) or data.shape[1] != pixels:
        what = f"{getattr(data, 'dtype', type(data).__name__)} {getattr(data, 'shape', '')}".strip()
        raise _wrong(path, f"data is {what}, expected uint8 rows of {pixels:,}")
    if not isinstance(labels, list) or len(labels) != len(data):
        count = f"{len(labels):,} values" if isinstance(labels, list) else type(labels).__name__
        raise _wrong(path, f"{label_key} is {count}, expected a list of {len(data):,}")
    for index, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < len(dataset.classes):
            raise _wrong(
                path,
                f"label {quoted(repr(label), 60)} at index {index} of {label_key}, expected 0 to "
                f"{len(dataset.classes) - 1}",
            )
    images = data.reshape(-1, *dataset.image.shape)
    return Batch(images, np.array(labels, dtype=np.int64))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _wrong(path: Path, problem: str) -> DataError:
    return DataError(f"{path}: {problem}{replace_files(path.parents[1])}")
