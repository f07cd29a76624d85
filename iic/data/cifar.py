"""Reading CIFAR's pickles, which may come from anywhere, without running what they ask for.

A pickle is a program: `pickle.load` imports and calls whatever the file names. Here it may name
what rebuilds a numpy array and nothing else. CIFAR-10 and CIFAR-100 share this; torchvision's
classes are of no use, for they unpickle without such care.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iic.data.batches import Batch
from iic.data.errors import DataError, replace_files
from iic.params.datasets import CATALOGUE, Dataset

# the function itself, wherever this version of numpy keeps it
_RECONSTRUCT = np.empty(0).__reduce__()[0]
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
"""Module and name in a pickle -> what is used for it."""


class Forbidden(pickle.UnpicklingError):
    """A pickle names something other than an array."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise Forbidden(f"it asks for {module}.{name}, and only arrays are let in")
        return ALLOWED[module, name]


def load(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of numbers, byte strings, lists and arrays.

    Python 2's strings come as bytes, the keys as text.

    Raises:
        DataError: The file is missing, cut, no pickle of a dictionary, or asks for anything but
            arrays (nothing of it is run); names the file and the remedy.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except Forbidden as error:
        raise DataError(f"{path}: no CIFAR file: {error}{replace_files(path.parents[1])}") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}{replace_files(path.parents[1])}"
        ) from error
    except Exception as error:  # damaged bytes are any program: any exception may come of it
        raise DataError(
            f"{path}: cut or no pickle: {error}{replace_files(path.parents[1])}"
        ) from error
    if not isinstance(content, dict):
        raise _wrong(path, f"holds a {type(content).__name__}, expected a dictionary")
    return {_text(key): value for key, value in content.items()}


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
        raise _wrong(path, f"{key} is {names!r}, expected the classes {', '.join(dataset.classes)}")


def _batch(path: Path, dataset: Dataset, label_key: str) -> Batch:
    content = load(path)
    for key in ("data", label_key):
        if key not in content:
            raise _wrong(path, f"has no {key!r} among {', '.join(content)}")
    data, labels = content["data"], content[label_key]
    pixels = int(np.prod(dataset.image.shape))
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.ndim != 2
        or data.shape[1] != pixels
    ):
        what = f"{getattr(data, 'dtype', type(data).__name__)} {getattr(data, 'shape', '')}".strip()
        raise _wrong(path, f"data is {what}, expected uint8 rows of {pixels:,}")
    if not isinstance(labels, list) or len(labels) != len(data):
        count = f"{len(labels):,} values" if isinstance(labels, list) else type(labels).__name__
        raise _wrong(path, f"{label_key} is {count}, expected a list of {len(data):,}")
    for index, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < len(dataset.classes):
            raise _wrong(
                path,
                f"label {label!r} at index {index} of {label_key}, expected 0 to "
                f"{len(dataset.classes) - 1}",
            )
    images = data.reshape(-1, *dataset.image.shape)
    return Batch(images, np.array(labels, dtype=np.int64))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _wrong(path: Path, problem: str) -> DataError:
    return DataError(f"{path}: {problem}{replace_files(path.parents[1])}")
