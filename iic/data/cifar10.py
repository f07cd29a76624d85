"""CIFAR-10: 60,000 colour images, 32x32, in six batches and a file of names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from iic.data import cifar
from iic.data.batches import Batch
from iic.params.datasets import Dataset

FOLDER = "cifar-10-batches-py"


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read the batches: those of the training set by number, then the test batch.

    Yields:
        A batch for each file: images (n, 3, 32, 32), labels 0 to 9.

    Raises:
        DataError: A file is missing, damaged, unsafe, or not what the catalogue says.
    """
    cifar.check_names(raw / FOLDER / "batches.meta", "label_names", dataset)
    training = [file.name for file in dataset.raw_files if "data_batch_" in file.name]
    files = {"train": training, "test": [f"{FOLDER}/test_batch"]}
    yield from cifar.read(raw, dataset, files, "labels")
