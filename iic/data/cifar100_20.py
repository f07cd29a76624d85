"""CIFAR-100 by its 20 superclasses, "CIFAR100-20" in the paper: the same files as `cifar100`.

The official coarse labels are used. The authors' code has a table from fine to coarse classes in
their place, which gives the same labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from iic.data.batches import Batch
from iic.data.cifar100 import read_labelled
from iic.params.datasets import Dataset


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read training and test set with their coarse labels.

    Yields:
        A batch for each split: images (n, 3, 32, 32), labels 0 to 19.

    Raises:
        DataError: A file is missing, damaged, unsafe, or not what the catalogue says.
    """
    yield from read_labelled(raw, dataset, "coarse")
