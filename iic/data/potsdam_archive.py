"""Potsdam as the authors of IIC prepared it: their archive of tiles in Matlab's format.

It holds ``imgs/<id>.mat`` (``img``: uint8, 200 x 200 x 4), ``gt/<id>.mat`` for the labelled tiles
(``gt``: int32, 200 x 200, the six fine classes) and a list of ids for each split. The ids are a
random permutation, so which tiles make up an image is lost; but the division of the labelled tiles
is the very one of the paper's semi-supervised results (docs/spec/segmentation.md#potsdam).
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from iic.data.aerial import FINE
from iic.data.errors import DataError, replace_files
from iic.data.maps import UNLABELLED, Maps, Piece, canvas
from iic.data.matlab import read_arrays
from iic.data.packed import Bounded, TooLong
from iic.data.potsdam import SPLITS, class_codes
from iic.params.datasets import CATALOGUE, Dataset
from iic.params.escaping import quoted

ARCHIVE = "Potsdam.tar.gz"
PIECE = 225
"""Tiles of a piece: 45 MB as prepared."""
BESIDES = 1 << 16
"""Bytes of a tile's file besides its values."""


def open_maps(raw: Path, dataset: Dataset) -> ArchiveReader:
    """Open the archive in `raw`.

    Raises:
        DataError: It is missing or damaged, or a list has another length than the catalogue says or
            names a tile twice or one that has no image or no labels.
    """
    return ArchiveReader(raw, dataset)


class ArchiveReader:
    """The tiles of the archive (`iic.data.maps.MapReader`), in the order of its lists."""

    def __init__(self, raw: Path, dataset: Dataset) -> None:
        self._shape = dataset.image.shape
        try:
            self._codes = class_codes(dataset.classes)
        except ValueError as error:
            raise DataError(f"{CATALOGUE}: {raw.name}.classes: {error}") from error
        if tuple(dataset.splits) != SPLITS:
            raise DataError(
                f"{CATALOGUE}: {raw.name}.splits: {', '.join(dataset.splits)}, expected "
                f"{', '.join(SPLITS)}"
            )
        channels, height, width = self._shape
        # an image of bytes, classes of four bytes each
        self._largest = max(channels, 4) * height * width + BESIDES
        self._tar = _Tar(raw / ARCHIVE, 2 * dataset.count * self._largest + (1 << 24))
        ids: list[str] = []
        for split, count in dataset.splits.items():
            ids += self._listed(split, count)
        if len(set(ids)) < len(ids):
            twice = next(tile for tile in ids if ids.count(tile) > 1)
            raise self._tar.wrong(f"tile {twice} stands in the lists twice")
        self.names = tuple(f"imgs/{tile}" for tile in ids)
        self._bare = dataset.splits[SPLITS[0]]
        stops = accumulate(dataset.splits.values())
        self.pieces = tuple(
            Piece(f"{split} {start}-{end - 1}", np.arange(stop - size + start, stop - size + end))
            for (split, size), stop in zip(dataset.splits.items(), stops, strict=True)
            for start in range(0, size, PIECE)
            for end in [min(start + PIECE, size)]
        )

    def read(self, piece: Piece) -> Maps:
        """Read the tiles of a piece.

        Raises:
            DataError: A file is damaged, or an array in it has another shape, type or value than
                expected; names it.
        """
        maps = canvas(len(piece.places), self._shape)
        maps.sizes[:] = self._shape[1:]
        channels, height, width = self._shape
        for slot, index in enumerate(piece.places.tolist()):
            file = f"{self.names[index]}.mat"
            image = self._array(file, "img", "uint8", (height, width, channels))
            maps.images[slot] = image.transpose(2, 0, 1)
            if index < self._bare:
                maps.labels[slot] = UNLABELLED
            else:
                maps.labels[slot] = self._classes(file.replace("imgs/", "gt/"), (height, width))
        return maps

    def _classes(self, file: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
        fine = self._array(file, "gt", "int32", shape)
        wrong = np.argwhere((fine < 0) | (fine >= len(FINE)))
        if len(wrong):
            row, column = wrong[0].tolist()
            raise self._tar.wrong(
                f"{file}: class {fine[row, column]} in row {row}, column {column} ({len(wrong):,} "
                f"such pixels), expected 0 to {len(FINE) - 1}"
            )
        classes: NDArray[np.uint8] = self._codes[fine]
        return classes

    def _array(self, file: str, key: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            arrays = read_arrays(self._tar.read(file, self._largest), self._largest)
        except DataError:
            raise
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise self._tar.wrong(f"{file}: cut or no Matlab file: {error}") from error
        array = arrays.get(key)
        if array is None or array.values is None or (array.kind, array.shape) != (kind, shape):
            raise self._tar.wrong(
                f"{file}: {key} is {array or 'nothing'}, expected {kind} of shape {shape}"
            )
        return array.values

    def _listed(self, split: str, count: int) -> list[str]:
        """The ids of a split, all of them with an image and, if it has labels, with these."""
        file = f"{split}.txt"
        text = self._tar.read(file, 100 * count + (1 << 10))
        ids = text.decode("ascii", errors="replace").split()
        for tile in ids:
            needed = [f"imgs/{tile}.mat"] + [f"gt/{tile}.mat"] * (split != SPLITS[0])
            for member in needed:
                if member not in self._tar:
                    raise self._tar.wrong(f"{file} names {tile!r}, but there is no {member}")
        if len(ids) != count:
            raise self._tar.wrong(
                f"{file} names {len(ids):,} tiles, expected {count:,} ({CATALOGUE}: splits.{split})"
            )
        return ids


class _Tar:
    """The files of a compressed tar archive, by the last parts of their paths.

    What is compressed as a whole cannot be read here and there. So it is unpacked once into a
    nameless file beside it, 2 GB that are gone when the process ends, however it ends.

    Args:
        path: The archive.
        most: Bytes that it may unpack to.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        try:
            with gzip.open(path) as packed:
                self._file: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)
                shutil.copyfileobj(Bounded(packed, most), self._file, 1 << 20)
            self._file.seek(0)
            with tarfile.open(fileobj=Bounded(self._file, most), mode="r:") as tar:
                self._places = {
                    _short(member.name): (member.offset_data, member.size)
                    for member in tar
                    if member.isfile()
                }
        except TooLong as error:
            raise self.wrong(str(error)) from error
        except gzip.BadGzipFile as error:
            raise self.wrong(f"cut or no tar.gz archive: {error}") from error
        except OSError as error:
            raise self.wrong(f"cannot be read or unpacked: {error.strerror or error}") from error
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise self.wrong(f"cut or no tar.gz archive: {error}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def read(self, name: str, largest: int) -> bytes:
        """Content of a file; several threads may read at once.

        Raises:
            DataError: There is none, or it has more than `largest` bytes.
        """
        if name not in self._places:
            raise self.wrong(f"holds no {name}")
        offset, size = self._places[name]
        if size > largest:
            raise self.wrong(f"{name}: {size:,} bytes, more than the {largest:,} that it may have")
        return os.pread(self._file.fileno(), size, offset)

    def wrong(self, problem: str) -> DataError:
        """An error about this archive."""
        return DataError(f"{self._path}: {quoted(problem)}{replace_files(self._path.parent)}")


def _short(path: str) -> str:
    """``imgs/1.mat`` of a path to it, whatever folder it lies in; of a list its name alone."""
    parts = PurePosixPath(path).parts
    return "/".join(parts[-2:] if parts[-1].endswith(".mat") else parts[-1:])
