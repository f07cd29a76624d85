"""A prepared dataset for segmentation, mapped into memory and checked against its manifest.

Training processes import this: neither torch nor pandas nor any reader of formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.errors import DataError
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.paths import prepared_manifest
from iic.records.prepared import ImagesRecord
from iic.records.prepared_maps import LabelMapsRecord, MapManifest


@dataclass(frozen=True)
class PreparedMaps:
    """A prepared dataset with a class for every pixel.

    Args:
        images: uint8, (count, channels, height, width), a read-only memory map; the content of each
            lies at the top left of the canvas, zeros outside.
        labels: uint8, (count, height, width), a read-only memory map; 0 to k-1, 254 where the
            source has no label, 255 where none counts.
        sizes: int64, (count, 2), height and width of each image's content, padding included.
        names: Of each image in the source.
        manifest: Splits, classes and checksums.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    names: tuple[str, ...]
    manifest: MapManifest

    def indices(self, splits: Sequence[str] = ()) -> NDArray[np.int64]:
        """Indices of the images in `splits`, in that order; of all images where there are none."""
        if not splits:
            return np.arange(len(self.images))
        parts = [self.manifest.split(name) for name in splits]
        return np.concatenate([np.arange(part.start, part.stop) for part in parts])


def load_maps(name: str, root: str | Path = ".") -> PreparedMaps:
    """Open the dataset `name`.

    Args:
        name: Name of the dataset in the catalogue, whose entry has `maps`.
        root: Root of the clone.

    Raises:
        DataError: The dataset is not prepared, or an array is not what the manifest says: another
            type, shape or checksum; names the file and the remedy.
    """
    root = Path(root)
    path = root / prepared_manifest(name)
    try:
        manifest = read_record(path, MapManifest)
    except RecordError as error:
        raise DataError(f"{error}{_remedy(name)}") from error
    if manifest.dataset != name:
        raise DataError(
            f"{path}: dataset: describes {manifest.dataset!r}, not {name!r}{_remedy(name)}"
        )
    return PreparedMaps(
        _open(root, manifest.images, name),
        _open(root, manifest.labels, name),
        np.array(manifest.sizes, np.int64),
        manifest.names,
        manifest,
    )


def _open(root: Path, record: ImagesRecord | LabelMapsRecord, name: str) -> NDArray[np.uint8]:
    path = root / record.path
    try:
        array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: missing{_remedy(name)}") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cut or no array file: {error}{_remedy(name)}") from error
    if array.dtype != record.dtype or array.shape != record.shape:
        raise DataError(
            f"{path}: {array.dtype} of shape {array.shape}, expected {record.dtype} of shape "
            f"{record.shape}{_remedy(name)}"
        )
    if sha256_file(path) != record.sha256:
        raise DataError(
            f"{path}: corrupt: its content is not what was prepared (sha256 differs from "
            f"data.json){_remedy(name)}"
        )
    return array


def _remedy(name: str) -> str:
    return f"\n  remedy: `iic prepare --dataset {name}` writes it anew"
