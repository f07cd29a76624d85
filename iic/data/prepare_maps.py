"""From raw files to the arrays of a dataset for segmentation: ``data/prepared/<dataset>/``."""

from __future__ import annotations

import importlib
import logging
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.array_file import ArrayFile
from iic.data.errors import DataError
from iic.data.maps import IGNORED, UNLABELLED, MapReader, Maps, Piece
from iic.data.pieces import Filling, Progress, silent
from iic.data.unverified import as_noted, verify_noted
from iic.params.datasets import CATALOGUE, Dataset
from iic.records.files import sha256_json, write_record
from iic.records.paths import PREPARED, prepared_manifest, raw_folder
from iic.records.prepared import ImagesRecord, Split
from iic.records.prepared_maps import (
    LabelMapsRecord,
    MapManifest,
    PieceRecord,
    PreparationRecord,
)

log = logging.getLogger(__name__)

IMAGES, LABELS = "images.npy", "labels.npy"


def prepare_maps(
    name: str,
    dataset: Dataset,
    root: Path = Path("."),
    workers: int = 1,
    progress: Progress = silent,
    fingerprint: str = "",
) -> MapManifest:
    """Write ``images.npy``, ``labels.npy`` and, last, ``data.json``.

    The result does not depend on the number of threads. A preparation that was killed goes on from
    the pieces that it had finished; memory holds one piece a thread, however large the dataset is.

    Args:
        name: Name of the dataset in the catalogue.
        dataset: The catalogue's entry, with `maps`.
        root: Root of the clone.
        workers: Threads that read and write.
        progress: Called with the images done so far and in all.
        fingerprint: Stands for the code: what was begun with another is begun anew.

    Returns:
        What was written to ``data.json``.

    Raises:
        DataError: A raw file is missing, cut or corrupt, or its content is not as the catalogue
            says; names the file and the remedy.
        RecordError: The disk is full or cannot be written to.
    """
    if dataset.maps is None:
        raise DataError(f"{CATALOGUE}: {name}.maps: missing; it says how the images are prepared")
    verify_noted(name, dataset, root)
    reader = _open(name, dataset, root)
    identity = _identity(name, dataset, root, reader, fingerprint)
    folder, canvas = PREPARED / name, dataset.image.shape
    images = ArrayFile(root / folder / IMAGES, (dataset.count, *canvas))
    labels = ArrayFile(root / folder / LABELS, (dataset.count, *canvas[1:]))
    filling = Filling(root / folder, identity, images, labels)
    record = filling.complete(
        reader, lambda piece, maps: _described(piece, maps, name, dataset), workers, progress
    )
    filling.finish()
    sizes, empty = _by_place(reader, record)
    manifest = MapManifest(
        dataset=name,
        stand_in=dataset.stand_in,
        image=dataset.image,
        count=dataset.count,
        classes=dataset.classes,
        splits=_splits(dataset),
        maps=dataset.maps,
        images=ImagesRecord(
            path=(folder / IMAGES).as_posix(),
            sha256=record.arrays[IMAGES],
            size=images.size,
            shape=(dataset.count, *canvas),
        ),
        labels=LabelMapsRecord(
            path=(folder / LABELS).as_posix(),
            sha256=record.arrays[LABELS],
            size=labels.size,
            shape=(dataset.count, *canvas[1:]),
        ),
        names=reader.names,
        sizes=sizes,
        empty=empty,
    )
    write_record(root / prepared_manifest(name), manifest)
    filling.forget()
    if empty:
        log.info(
            "%s: %s of %s images have no pixel of a class, the first of them %s",
            name,
            f"{len(empty):,}",
            f"{dataset.count:,}",
            reader.names[empty[0]],
        )
    return manifest


def _open(name: str, dataset: Dataset, root: Path) -> MapReader:
    try:
        open_maps = importlib.import_module(dataset.module).open_maps
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"{CATALOGUE}: {name}.module: {dataset.module!r} has no function open_maps: {error}\n"
            "  remedy: name the module in iic/data/ that reads this dataset"
        ) from error
    reader: MapReader = open_maps(root / raw_folder(name), dataset)
    distinct = len(set(reader.names))
    if not distinct == len(reader.names) == dataset.count:
        raise DataError(
            f"{name}: {dataset.module} names {distinct:,} images, expected {dataset.count:,} "
            f"({CATALOGUE}: {name}.splits)"
        )
    places = np.sort(np.concatenate([piece.places for piece in reader.pieces]))
    keys = {piece.key for piece in reader.pieces}
    if not np.array_equal(places, np.arange(dataset.count)) or len(keys) < len(reader.pieces):
        raise DataError(
            f"{name}: the pieces of {dataset.module} do not cover all {dataset.count:,} images once"
        )
    return reader


def _identity(name: str, dataset: Dataset, root: Path, reader: MapReader, fingerprint: str) -> str:
    """Hash of all that decides what the arrays hold."""
    raw = [as_noted(file, root / raw_folder(name)).checksum for file in dataset.raw_files]
    return sha256_json(
        {
            "dataset": name,
            "settings": dataset.model_dump(
                mode="json", include={"module", "classes", "image", "maps"}
            ),
            "names": reader.names,
            "pieces": [[piece.key, piece.places.tolist()] for piece in reader.pieces],
            "raw": raw,
            "fingerprint": fingerprint,
        }
    )


def _described(piece: Piece, maps: Maps, name: str, dataset: Dataset) -> PieceRecord:
    """Check a piece; say what the manifest needs of it."""
    where, count, canvas = (
        f"{name}: {dataset.module}: {piece.key}",
        len(piece.places),
        dataset.image,
    )
    expected = ((count, *canvas.shape), (count, *canvas.shape[1:]), (count, 2))
    arrays: tuple[NDArray[Any], ...] = (maps.images, maps.labels, maps.sizes)
    for what, array, shape in zip(maps._fields, arrays, expected, strict=True):
        kind = "int64" if what == "sizes" else "uint8"
        if array.dtype != kind or array.shape != shape:
            raise DataError(
                f"{where}: {what} are {array.dtype} of shape {array.shape}, expected {kind} of "
                f"{shape} ({CATALOGUE}: {name}.image)"
            )
    classes = len(dataset.classes)
    wrong = np.argwhere((maps.labels >= classes) & (maps.labels < UNLABELLED))
    if len(wrong):
        index = int(piece.places[wrong[0][0]])
        raise DataError(
            f"{where}: label {maps.labels[tuple(wrong[0])]} in image {index:,} is none of the "
            f"{classes} classes, {UNLABELLED} or {IGNORED} ({CATALOGUE}: {name}.classes)"
        )
    for index, (height, width) in zip(piece.places, maps.sizes.tolist(), strict=True):
        if not (0 < height <= canvas.height and 0 < width <= canvas.width):
            raise DataError(
                f"{where}: image {index:,} has {height}x{width} pixels, the canvas "
                f"{canvas.height}x{canvas.width} ({CATALOGUE}: {name}.image)"
            )
    counted = (maps.labels < classes).any(axis=(1, 2))
    return PieceRecord(
        key=piece.key,
        sizes=tuple((height, width) for height, width in maps.sizes.tolist()),
        empty=tuple(piece.places[~counted].tolist()),
    )


def _by_place(
    reader: MapReader, record: PreparationRecord
) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Sizes of all images and places of the empty ones, in the order of the arrays."""
    places = {piece.key: piece.places.tolist() for piece in reader.pieces}
    sizes = {
        index: size
        for piece in record.pieces
        for index, size in zip(places[piece.key], piece.sizes, strict=True)
    }
    empty = sorted(index for piece in record.pieces for index in piece.empty)
    return tuple(sizes[index] for index in range(len(sizes))), tuple(empty)


def _splits(dataset: Dataset) -> tuple[Split, ...]:
    stops = accumulate(dataset.splits.values())
    return tuple(
        Split(name=split, start=stop - count, stop=stop)
        for (split, count), stop in zip(dataset.splits.items(), stops, strict=True)
    )
