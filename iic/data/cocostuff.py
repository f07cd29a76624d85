"""COCO-Stuff 164k as IIC uses it: curated lists, superclasses of stuff, images at 0.33.

What the paper did: docs/spec/segmentation.md#coco-stuff.

Images and labels are read out of the official archives, which stay packed. Which images count, and
in which order, the authors' curated lists say: ``curated/<split>2017/<list>.txt`` below the raw
folder, one image's number on a line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.coco_classes import FINE, NO_LABEL, class_codes
from iic.data.errors import DataError, replace_files
from iic.data.maps import Maps, Piece, canvas
from iic.data.rescale import bilinear, nearest
from iic.data.zip_images import colours, decoded
from iic.data.zips import Members
from iic.params.datasets import CATALOGUE, Dataset, LabelMaps

LABELS = "stuffthingmaps_trainval2017.zip"
PIECE = 64
"""Images of a piece: 11 MB as prepared, about a second of work."""


def folder_of(split: str) -> str:
    """Folder of a split's images and labels in the archives."""
    return f"{split}2017"


def open_maps(raw: Path, dataset: Dataset) -> CocoReader:
    """Open the archives and lists in `raw`.

    Raises:
        DataError: A file is missing or damaged; a list has another length than the catalogue says,
            or names an image that has no jpg or no labels.
    """
    return CocoReader(raw, dataset)


def list_of(name: str, dataset: Dataset, split: str) -> str:
    """Path of a split's curated list below the raw folder.

    Raises:
        DataError: The entry `name` of the catalogue has none, or several.
    """
    lists = [
        file.name
        for file in dataset.raw_files
        if file.name.startswith(f"curated/{folder_of(split)}/") and file.name.endswith(".txt")
    ]
    if len(lists) != 1:
        raise DataError(
            f"{CATALOGUE}: {name}.files: {len(lists)} files curated/{folder_of(split)}/*.txt for "
            f"the split {split!r}, expected one"
        )
    return lists[0]


def read_list(path: Path) -> list[str]:
    """The image numbers of a curated list, each of twelve digits, in its order.

    Raises:
        DataError: The file is missing, or a line is no such number or the second of it.
    """
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, f"cannot be read: {error}") from error
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if len(line) != 12 or not line.isdigit():
            raise _wrong(path, f"line {number}: {line!r} is no image number of twelve digits")
        if line in seen:
            raise _wrong(path, f"line {number}: {line} stands in line {seen[line]} already")
        seen[line] = number
    return list(seen)


class CocoReader:
    """The images of a dataset's lists (`iic.data.maps.MapReader`)."""

    def __init__(self, raw: Path, dataset: Dataset) -> None:
        if dataset.maps is None:
            raise DataError(f"{CATALOGUE}: {raw.name}: COCO-Stuff needs maps: {{scale: 0.33, ...}}")
        self._maps: LabelMaps = dataset.maps
        self._shape = dataset.image.shape
        self._name = raw.name
        try:
            self._codes = class_codes(dataset.classes)
        except ValueError as error:
            raise DataError(f"{CATALOGUE}: {raw.name}.classes: {error}") from error
        self._labels = Members(raw / LABELS, dataset)
        self._images = {
            split: Members(raw / f"{folder_of(split)}.zip", dataset) for split in dataset.splits
        }
        listed = {split: self._listed(raw, dataset, split) for split in dataset.splits}
        self._splits = [split for split, numbers in listed.items() for _ in numbers]
        self.names = tuple(
            f"{folder_of(split)}/{number}"
            for split, numbers in listed.items()
            for number in numbers
        )
        pieces, first = [], 0
        for split, numbers in listed.items():
            for start in range(0, len(numbers), PIECE):
                end = min(start + PIECE, len(numbers))
                places = np.arange(first + start, first + end)
                pieces.append(Piece(f"{split} {start}-{end - 1}", places))
            first += len(numbers)
        self.pieces = tuple(pieces)

    def read(self, piece: Piece) -> Maps:
        """Read images and labels of a piece.

        Raises:
            DataError: A jpg or png is damaged or of another kind than expected, they differ in
                size, a label is none of COCO-Stuff's, or an image is larger than the canvas; names
                archive and member.
        """
        maps = canvas(len(piece.places), self._shape)
        for slot, index in enumerate(piece.places):
            maps.sizes[slot] = self._fill(maps.images[slot], maps.labels[slot], int(index))
        return maps

    def _fill(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], index: int
    ) -> tuple[int, int]:
        """Fill in the image at `index`; return height and width of its content."""
        archive, name = self._images[self._splits[index]], self.names[index]
        pixels = colours(archive, f"{name}.jpg")
        fine = fine_labels(self._labels, f"{name}.png")
        if pixels.shape[:2] != fine.shape:
            raise self._labels.wrong(
                f"{name}.png: labels of {_by(fine.shape)} pixels for an image of "
                f"{_by(pixels.shape)}"
            )
        try:
            small = bilinear(pixels, self._maps.scale)
        except ValueError as error:
            raise archive.wrong(f"{name}.jpg: {error}") from error
        inner, least = small.shape[:2], self._maps.least_side
        outer = (max(inner[0], least), max(inner[1], least))
        if outer[0] > image.shape[1] or outer[1] > image.shape[2]:
            raise DataError(
                f"{archive.path}: {name}.jpg: {_by(pixels.shape)} pixels are {_by(outer)} at scale "
                f"{self._maps.scale}, and the canvas has {_by(image.shape[1:])}\n"
                f"  remedy: a larger {self._name}.image in {CATALOGUE}"
            )
        # as IIC: the middles of image and frame, each rounded down, lie on each other
        rows, columns = (
            slice(side // 2 - part // 2, side // 2 - part // 2 + part)
            for side, part in zip(outer, inner, strict=True)
        )
        image[:, rows, columns] = small.transpose(2, 0, 1)
        labels[rows, columns] = self._codes[nearest(fine, self._maps.scale)]
        return outer

    def _listed(self, raw: Path, dataset: Dataset, split: str) -> list[str]:
        """The image numbers of a split, all of them with an image and labels."""
        folder, path = folder_of(split), raw / list_of(raw.name, dataset, split)
        numbers = read_list(path)
        if len(numbers) != dataset.splits[split]:
            raise _wrong(
                path,
                f"{len(numbers):,} images, expected {dataset.splits[split]:,} "
                f"({CATALOGUE}: {raw.name}.splits.{split})",
            )
        for archive, kind in ((self._images[split], "jpg"), (self._labels, "png")):
            members = [f"{folder}/{number}.{kind}" for number in numbers]
            missing = [member for member in members if member not in archive]
            if missing:
                raise _wrong(
                    path,
                    f"line {members.index(missing[0]) + 1}: there is no {missing[0]} in "
                    f"{archive.path.name} ({len(missing):,} of {len(numbers):,} are missing there)",
                )
        return numbers


def fine_labels(archive: Members, member: str) -> NDArray[np.uint8]:
    """Read a label image.

    Returns:
        uint8, (height, width): 0 to 181, or 255.

    Raises:
        DataError: It is damaged or of another kind, or holds other values; names the first.
    """
    image = decoded(archive, member, "PNG")
    if image.mode not in ("L", "P"):
        raise archive.wrong(f"{member}: of kind {image.mode}, expected one byte a pixel (L or P)")
    labels = np.asarray(image)
    wrong = np.argwhere((labels >= FINE) & (labels != NO_LABEL))
    if len(wrong):
        row, column = (int(position) for position in wrong[0])
        raise archive.wrong(
            f"{member}: label {labels[row, column]} in row {row}, column {column} "
            f"({len(wrong):,} such pixels), expected 0 to {FINE - 1} or {NO_LABEL}"
        )
    return labels


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _wrong(path: Path, problem: str) -> DataError:
    # the raw folder lies above curated/<folder>/<list>
    return DataError(f"{path}: {problem}{replace_files(path.parents[2])}")
