"""From raw files to the arrays that training maps into memory: ``data/prepared/<dataset>/``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from iic.data.batches import Batch
from iic.data.errors import DataError, replace_files
from iic.data.files import verify_raw
from iic.params.datasets import CATALOGUE, Dataset
from iic.records.files import atomic_file, sha256_file, write_record
from iic.records.paths import PREPARED, prepared_manifest, raw_folder
from iic.records.prepared import (
    ImagesRecord,
    LabelsRecord,
    PreparedManifest,
    Split,
    check_folds,
)

IMAGES, LABELS = "images.npy", "labels.npy"
UNLABELLED = -1


def prepare(name: str, dataset: Dataset, root: Path = Path(".")) -> PreparedManifest:
    """Write ``images.npy``, ``labels.npy`` and, last, ``data.json``.

    The images are read and written batch by batch, in the order of the splits, so memory does not
    grow with the dataset. Each file appears whole or not at all.

    Args:
        name: Name of the dataset in the catalogue.
        dataset: The catalogue's entry.
        root: Root of the clone.

    Returns:
        What was written to ``data.json``.

    Raises:
        DataError: A raw file is missing, cut or corrupt, or its content is not as the catalogue
            says; names the file and the remedy.
        RecordError: The disk is full or cannot be written to.
    """
    verify_raw(name, dataset, root)
    module, raw = _module(name, dataset), root / raw_folder(name)
    splits = _splits(dataset)
    # before the images: a wrong file of folds is found at once, not after gigabytes
    folds = _folds(module, raw, name, dataset, splits)
    batches: Iterator[Batch] = module.read(raw, dataset)
    images = PREPARED / name / IMAGES
    labels = PREPARED / name / LABELS
    with atomic_file(root / images) as file:
        targets = _write_images(file, batches, name, dataset)
    if targets is None:
        (root / labels).unlink(missing_ok=True)
    else:
        with atomic_file(root / labels) as file:
            np.save(file, targets, allow_pickle=False)
    manifest = PreparedManifest(
        dataset=name,
        stand_in=dataset.stand_in,
        image=dataset.image,
        count=dataset.count,
        classes=dataset.classes,
        splits=splits,
        images=ImagesRecord(
            path=images.as_posix(),
            sha256=sha256_file(root / images),
            size=(root / images).stat().st_size,
            shape=(dataset.count, *dataset.image.shape),
        ),
        labels=None
        if targets is None
        else LabelsRecord(
            path=labels.as_posix(),
            sha256=sha256_file(root / labels),
            size=(root / labels).stat().st_size,
            shape=(dataset.count,),
        ),
        folds=folds,
    )
    write_record(root / prepared_manifest(name), manifest)
    return manifest


def _module(name: str, dataset: Dataset) -> ModuleType:
    try:
        module = importlib.import_module(dataset.module)
        module.read  # noqa: B018 (whether there is one)
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{CATALOGUE}: {name}.module: {dataset.module!r} has no function read: {error}\n"
            "  remedy: name the module in iic/data/ that reads this dataset"
        ) from error
    return module


def _splits(dataset: Dataset) -> tuple[Split, ...]:
    stops = accumulate(dataset.splits.values())
    return tuple(
        Split(name=split, start=stop - count, stop=stop)
        for (split, count), stop in zip(dataset.splits.items(), stops, strict=True)
    )


def _folds(
    module: ModuleType, raw: Path, name: str, dataset: Dataset, splits: tuple[Split, ...]
) -> tuple[tuple[int, ...], ...] | None:
    """The folds that the dataset comes with, where its reader knows any."""
    if not hasattr(module, "folds"):
        return None
    folds: tuple[tuple[int, ...], ...] = module.folds(raw, dataset)
    try:
        check_folds(folds, splits)
    except ValueError as error:
        raise DataError(
            f"{name}: {dataset.module} gives wrong folds: {error}{replace_files(raw)}"
        ) from error
    return folds


def _write_images(
    file: BinaryIO, batches: Iterator[Batch], name: str, dataset: Dataset
) -> NDArray[np.int64] | None:
    """Write the .npy file; return the labels, or None when there are none."""
    shape = (dataset.count, *dataset.image.shape)
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(file, header)
    labels = np.full(dataset.count, UNLABELLED, dtype=np.int64)
    done = 0
    for batch in batches:
        size = len(batch.images)
        _check(batch, done, name, dataset)
        # plain writes, not a memory map: a full disk is then an error and no crash
        file.write(np.ascontiguousarray(batch.images).data)
        if batch.labels is not None:
            labels[done : done + size] = batch.labels
        done += size
    if done != dataset.count:
        raise DataError(
            f"{name}: {done:,} images read, expected {dataset.count:,} ({CATALOGUE}: {name}.splits)"
        )
    if dataset.labelled and (labels == UNLABELLED).all():
        raise DataError(
            f"{name}: {dataset.module} gives no image a label, but {CATALOGUE} names "
            f"{len(dataset.classes)} classes\n"
            f"  remedy: {name}.classes: [], if the images have no labels"
        )
    return labels if dataset.labelled else None


def _check(batch: Batch, done: int, name: str, dataset: Dataset) -> None:
    images, labels = batch.images, batch.labels
    if images.dtype != np.uint8 or images.shape[1:] != dataset.image.shape:
        raise DataError(
            f"{name}: {dataset.module} yields {images.dtype} images of shape {images.shape[1:]}, "
            f"expected uint8 of {dataset.image.shape} ({CATALOGUE}: {name}.image)"
        )
    if done + len(images) > dataset.count:
        raise DataError(
            f"{name}: more than the expected {dataset.count:,} images ({CATALOGUE}: {name}.splits)"
        )
    if labels is None:
        return
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{name}: {dataset.module} yields {labels.dtype} labels of shape {labels.shape} for "
            f"{len(images):,} images"
        )
    wrong = np.flatnonzero((labels < UNLABELLED) | (labels >= len(dataset.classes)))
    if len(wrong):
        raise DataError(
            f"{name}: label {labels[wrong[0]]} of image {done + wrong[0]:,} is none of the "
            f"{len(dataset.classes)} classes ({CATALOGUE}: {name}.classes)"
        )
