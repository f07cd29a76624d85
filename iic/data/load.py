"""A prepared dataset, mapped into memory and checked against its manifest.

Training processes import this: neither torch nor pandas nor any reader of formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.errors import DataError
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.paths import prepared_manifest
from iic.records.prepared import ImagesRecord, LabelsRecord, PreparedManifest


@dataclass(frozen=True)
class PreparedData:
    """A prepared dataset.

    Args:
        images: uint8, (count, channels, height, width), a read-only memory map.
        labels: int64, (count,), -1 where an image has none; None when no image has one.
        manifest: Splits, classes and checksums.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    manifest: PreparedManifest

    def indices(self, splits: Sequence[str] = ()) -> NDArray[np.int64]:
        """Indices of the images in `splits`, in that order; of all images where there are none."""
        if not splits:
            return np.arange(len(self.images))
        parts = [self.manifest.split(name) for name in splits]
        return np.concatenate([np.arange(part.start, part.stop) for part in parts])


def load(name: str, root: str | Path = ".") -> PreparedData:
    """Open the dataset `name`.

    Args:
        name: Name of the dataset in the catalogue.
        root: Root of the clone.

    Raises:
        DataError: The dataset is not prepared, or an array is not what the manifest says: another
            type (float images, NaN), shape or checksum; names the file and the remedy.
    """
    root = Path(root)
    try:
        manifest = read_record(root / prepared_manifest(name), PreparedManifest)
    except RecordError as error:
        raise DataError(f"{error}{_remedy(name)}") from error
    if manifest.dataset != name:
        raise DataError(
            f"{root / prepared_manifest(name)}: dataset: describes {manifest.dataset!r}, "
            f"not {name!r}{_remedy(name)}"
        )
    images = _open(root, manifest.images, name)
    labels = None if manifest.labels is None else np.array(_open(root, manifest.labels, name))
    return PreparedData(images, labels, manifest)


def _open(root: Path, record: ImagesRecord | LabelsRecord, name: str) -> NDArray[Any]:
    path = root / record.path
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: missing{_remedy(name)}") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cut or no array file: {error}{_remedy(name)}") from error
    if array.dtype != record.dtype or array.shape != record.shape:
        raise DataError(
            f"{path}: {array.dtype} of shape {array.shape}, expected {record.dtype} of shape "
            f"{record.shape}{_not_finite(array)}{_remedy(name)}"
        )
    if sha256_file(path) != record.sha256:
        raise DataError(
            f"{path}: corrupt: its content is not what was prepared (sha256 differs from "
            f"data.json){_remedy(name)}"
        )
    return array


def _not_finite(array: NDArray[Any]) -> str:
    if not np.issubdtype(array.dtype, np.floating):
        return ""
    wrong = np.argwhere(~np.isfinite(array))
    if not len(wrong):
        return ""
    index = tuple(int(part) for part in wrong[0])
    return f"; {len(wrong):,} values are NaN or infinite, the first at index {index}"


def _remedy(name: str) -> str:
    return f"\n  remedy: `iic prepare --dataset {name}` writes it anew"
