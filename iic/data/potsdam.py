"""ISPRS Potsdam as IIC uses it: aerial images at half scale, cut into tiles.

What the paper did: docs/spec/segmentation.md#potsdam.

Images and label maps are read out of the official archives, which stay packed, whatever folder they
have in there: ``top_potsdam_<row>_<column>_RGBIR.tif`` and ``..._label.tif``. 24 of the 38 images
have labels that IIC used; ISPRS published those of the other 14 later, and they are left out here,
as then.

The tiles of labelled images are divided into ``labelled_train`` and ``labelled_test``. Which ones
the authors tested on only their own archive says (`iic.data.potsdam_archive`), so ours are drawn:
a tile's rank is the SHA-256 of `SEED` and its name, and the lowest ranks are for testing. Whatever
uses all tiles, or all labelled ones, does not depend on it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from iic.data.aerial import FINE, read_classes, read_image
from iic.data.errors import DataError
from iic.data.half_scale import halved, halved_labels
from iic.data.maps import UNLABELLED, Maps, Piece, canvas
from iic.data.zips import Members
from iic.params.datasets import CATALOGUE, Dataset

IMAGES, LABELS = "4_Ortho_RGBIR.zip", "5_Labels_for_participants.zip"
IMAGE_NAME = re.compile(r"(top_potsdam_\d+_\d+)_RGBIR\.tif")
LABELLED = frozenset(
    f"top_potsdam_{row}_{column}"
    for row in range(2, 8)
    for column in range(10 if row < 6 else 7, 13)
)
"""The 24 images whose labels IIC used."""
COARSE = {
    "roads_cars": ("roads", "cars"),
    "buildings_clutter": ("buildings", "clutter"),
    "vegetation": ("low_vegetation", "trees"),
}
"""Class of Potsdam-3 -> those of Potsdam-6 in it."""
SPLITS = ("unlabelled_train", "labelled_train", "labelled_test")
SEED = "iic potsdam labelled_test 0"
SCALE = 0.5


def open_maps(raw: Path, dataset: Dataset) -> PotsdamReader:
    """Open the archives in `raw`.

    Raises:
        DataError: An archive is missing or damaged, an image lacks its labels, or there are other
            numbers of images than the catalogue says.
    """
    return PotsdamReader(raw, dataset)


def class_codes(classes: Sequence[str]) -> NDArray[np.uint8]:
    """Number of each fine class among `classes`: uint8, (6,).

    Raises:
        ValueError: The classes are neither those of Potsdam-6 nor those of Potsdam-3.
    """
    above = {fine: coarse for coarse, members in COARSE.items() for fine in members}
    for division in (FINE, tuple(COARSE)):
        if sorted(classes) == sorted(division):
            names = [fine if fine in division else above[fine] for fine in FINE]
            return np.array([classes.index(name) for name in names], np.uint8)
    raise ValueError(
        f"{', '.join(classes)}: neither {', '.join(FINE)} nor {', '.join(COARSE)} in any order"
    )


def rank(name: str) -> bytes:
    """What decides whether the tile `name` is for testing: the lower, the rather."""
    return hashlib.sha256(f"{SEED} {name}".encode()).digest()


@dataclass(frozen=True)
class Source:
    """An image of the archive."""

    name: str
    """As ``top_potsdam_2_10``."""
    image: str
    """Path in the archive of images."""
    labels: str | None
    """Path in the archive of label maps; None for an image without labels."""


class PotsdamReader:
    """All tiles of the archives (`iic.data.maps.MapReader`); a piece is a source image."""

    def __init__(self, raw: Path, dataset: Dataset) -> None:
        if dataset.maps is None or dataset.maps.tiles is None or dataset.maps.scale != SCALE:
            raise DataError(
                f"{CATALOGUE}: {raw.name}.maps: Potsdam needs a number of tiles and scale {SCALE}"
            )
        self._tiles = dataset.maps.tiles
        self._shape = dataset.image.shape
        self._raw = raw
        self._dataset = dataset
        try:
            self._codes = class_codes(dataset.classes)
        except ValueError as error:
            raise DataError(f"{CATALOGUE}: {raw.name}.classes: {error}") from error
        self._sources = {source.name: source for source in _sources(raw, dataset)}
        tiles = {
            name: [f"{name}/{number:03d}" for number in range(self._tiles**2)]
            for name in self._sources
        }
        self.names = tuple(chain.from_iterable(self._divided(tiles, dataset)))
        places = {name: index for index, name in enumerate(self.names)}
        self.pieces = tuple(
            Piece(name, np.array([places[tile] for tile in tiles[name]])) for name in tiles
        )

    def read(self, piece: Piece) -> Maps:
        """Read the tiles of a source image, row by row.

        Raises:
            DataError: A tif is damaged or has other channels than expected, a label map another
                size than its image or a colour that is none of ISPRS's, or the tiles do not fit
                into half the image; names archive and member.
        """
        source = self._sources[piece.key]
        maps = canvas(len(piece.places), self._shape)
        maps.sizes[:] = self._shape[1:]
        # opened anew: one archive for all threads would hold them up while it unpacks 144 MB
        archive = Members(self._raw / IMAGES, self._dataset)
        image = read_image(archive, source.image, self._shape[0])
        size = image.shape[:2]
        self._check_size(archive, source.image, size)
        self._cut(halved(image).transpose(2, 0, 1), maps.images)
        if source.labels is None:
            maps.labels[:] = UNLABELLED
            return maps
        del image
        archive = Members(self._raw / LABELS, self._dataset)
        classes = read_classes(archive, source.labels)
        if classes.shape != size:
            raise archive.wrong(
                f"{source.labels}: {_by(classes.shape)} pixels for an image of {_by(size)}"
            )
        self._cut(self._codes[halved_labels(classes)], maps.labels)
        return maps

    def _check_size(self, archive: Members, member: str, size: tuple[int, ...]) -> None:
        needed = tuple(2 * self._tiles * side for side in self._shape[1:])
        if size != needed:
            raise DataError(
                f"{archive.path}: {member}: {_by(size)} pixels, but {self._tiles} tiles of "
                f"{_by(self._shape[1:])} a side at half the scale need {_by(needed)}\n"
                f"  remedy: {self._raw.name}.image and .maps.tiles in {CATALOGUE} that divide it"
            )

    def _cut(self, image: NDArray[np.uint8], tiles: NDArray[np.uint8]) -> None:
        """Cut (..., tiles height, tiles width) into (tiles^2, ..., height, width), row by row."""
        height, width = self._shape[1:]
        for number in range(self._tiles**2):
            row, column = divmod(number, self._tiles)
            tiles[number] = image[
                ..., row * height : (row + 1) * height, column * width : (column + 1) * width
            ]

    def _divided(self, tiles: dict[str, list[str]], dataset: Dataset) -> list[list[str]]:
        """Names of the tiles of each split."""
        if tuple(dataset.splits) != SPLITS:
            raise DataError(
                f"{CATALOGUE}: {self._raw.name}.splits: {', '.join(dataset.splits)}, expected "
                f"{', '.join(SPLITS)}"
            )
        bare = [
            tile for name, own in tiles.items() if not self._sources[name].labels for tile in own
        ]
        labelled = [
            tile for name, own in tiles.items() if self._sources[name].labels for tile in own
        ]
        expected = dataset.splits
        sizes = (
            expected["unlabelled_train"],
            expected["labelled_train"] + expected["labelled_test"],
        )
        if (len(bare), len(labelled)) != sizes:
            raise DataError(
                f"{self._raw / IMAGES}: {len(tiles)} images give {len(bare):,} tiles without and "
                f"{len(labelled):,} with labels, expected {sizes[0]:,} and {sizes[1]:,}\n"
                f"  remedy: the archive with all images, or other {self._raw.name}.splits in "
                f"{CATALOGUE}"
            )
        test = set(sorted(labelled, key=rank)[: expected["labelled_test"]])
        return [
            bare,
            [tile for tile in labelled if tile not in test],
            [tile for tile in labelled if tile in test],
        ]


def _sources(raw: Path, dataset: Dataset) -> list[Source]:
    """The images in the archive, by row and column."""
    archive, labels = Members(raw / IMAGES, dataset), Members(raw / LABELS, dataset)
    images = {
        match[1]: member
        for member in archive.names
        if (match := IMAGE_NAME.fullmatch(PurePosixPath(member).name))
    }
    maps = {PurePosixPath(member).name: member for member in labels.names}
    for members in (archive, labels):
        tifs = [PurePosixPath(path).name for path in members.names if path.endswith(".tif")]
        if len(set(tifs)) < len(tifs):
            twice = next(tif for tif in tifs if tifs.count(tif) > 1)
            raise members.wrong(f"holds {twice} twice")
    sources = []
    for name in sorted(images, key=_position):
        file = f"{name}_label.tif"
        if name in LABELLED and file not in maps:
            raise labels.wrong(f"holds no {file}, the labels of {images[name]}")
        sources.append(Source(name, images[name], maps[file] if name in LABELLED else None))
    if not sources:
        raise archive.wrong("holds no top_potsdam_<row>_<column>_RGBIR.tif")
    return sources


def _position(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in name.split("_")[2:])


def _by(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]}"
