"""MNIST in its four official idx files, read through torchvision."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iic.data.batches import Batch, whole_numbers
from iic.data.errors import DataError, replace_files
from iic.data.files import lying_there
from iic.params.datasets import CATALOGUE, Dataset

if TYPE_CHECKING:
    import torch

FILE_PREFIX = {"train": "train", "test": "t10k"}
"""Split -> how its files' names begin."""


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read the idx files, split by split.

    Yields:
        A batch for each split: images (n, 1, 28, 28), labels 0 to 9.

    Raises:
        DataError: A file has another name, is cut, corrupt, or holds another count, size or range
            than expected.
    """
    # torchvision brings torch along, and a process that only loads prepared data needs neither
    from torchvision.datasets.mnist import read_image_file, read_label_file

    _, height, width = dataset.image.shape
    for split, count in dataset.splits.items():
        if split not in FILE_PREFIX:
            raise DataError(
                f"{CATALOGUE}: {raw.name}.splits: {split!r} is none of {', '.join(FILE_PREFIX)}"
            )
        images_file, path = (raw / name for name in _names(split))
        for file in (images_file, path):
            if not file.exists():
                raise DataError(
                    f"{file}: missing; {lying_there(raw)}\n"
                    f"  expected: {', '.join(chain.from_iterable(map(_names, FILE_PREFIX)))}\n"
                    f"  remedy: give the files these names, and {raw.name}.files in {CATALOGUE} too"
                )
        images = _parse(images_file, read_image_file, (count, height, width)).numpy()
        labels = _parse(path, read_label_file, (count,)).numpy()
        yield Batch(
            images[:, None].astype(np.uint8, copy=False),
            whole_numbers(labels, path, 0, len(dataset.classes) - 1),
        )


def _names(split: str) -> tuple[str, str]:
    """The files of a split: images, labels."""
    prefix = FILE_PREFIX[split]
    return f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"


def _parse(
    path: Path, parse: Callable[[str], torch.Tensor], shape: tuple[int, ...]
) -> torch.Tensor:
    """Unpack an idx file of bytes and let torchvision read it."""
    # magic number and one length for each axis, four bytes each, then a byte for each value
    expected = 4 * (1 + len(shape)) + int(np.prod(shape))
    try:
        with tempfile.TemporaryDirectory(prefix="iic-mnist-") as folder:
            unpacked = Path(folder) / path.stem
            _unpack(path, unpacked, expected)
            values = parse(str(unpacked))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be unpacked in {tempfile.gettempdir()}: {error.strerror or error}\n"
            f"  remedy: let TMPDIR name a folder with room for {expected:,} bytes"
        ) from error
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # torchvision checks the header with bare assertions
        problem = str(error) or "wrong header"
        raise DataError(
            f"{path}: no idx file of {shape} bytes: {problem}{replace_files(path.parent)}"
        ) from error
    if tuple(values.shape) != shape:
        raise DataError(
            f"{path}: shape {tuple(values.shape)}, expected {shape}{replace_files(path.parent)}"
        )
    return values


def _unpack(path: Path, unpacked: Path, expected: int) -> None:
    problem = ""
    with unpacked.open("wb") as target:
        try:
            with gzip.open(path) as source:
                shutil.copyfileobj(source, target, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            problem = f" ({error})"
        size = target.tell()
    if problem or size != expected:
        raise DataError(
            f"{path}: cut or corrupt: {size:,} bytes unpacked, expected {expected:,}{problem}"
            f"{replace_files(path.parent)}"
        )
