"""CIFAR-100 by its 100 fine classes: 60,000 colour images, 32x32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from iic.data import cifar
from iic.data.batches import Batch
from iic.params.datasets import Dataset

FOLDER = "cifar-100-python"


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read training and test set with their fine labels.

    Yields:
        A batch for each split: images (n, 3, 32, 32), labels 0 to 99.

    Raises:
        DataError: A file is missing, damaged, unsafe, or not what the catalogue says.
    """
    yield from read_labelled(raw, dataset, "fine")


def read_labelled(raw: Path, dataset: Dataset, which: Literal["fine", "coarse"]) -> Iterator[Batch]:
    """Read the images with either kind of their labels, as `read` does."""
    cifar.check_names(raw / FOLDER / "meta", f"{which}_label_names", dataset)
    files = {split: [f"{FOLDER}/{split}"] for split in ("train", "test")}
    yield from cifar.read(raw, dataset, files, f"{which}_labels")
