"""Tiny ImageNet: 64x64 colour images of 200 of ImageNet's classes, in one zip archive.

It stays packed: its 120,000 files are read out of it. A class is known by its WordNet number. The
test images have no labels and are left out; ``val`` is what others call the test set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iic.data.batches import Batch
from iic.data.errors import DataError
from iic.data.zip_images import colours
from iic.data.zips import Members
from iic.params.datasets import CATALOGUE, Dataset

FOLDER = "tiny-imagenet-200"
ARCHIVE = f"{FOLDER}.zip"
BATCH = 1000
"""Images that are in memory at once: 12 MB."""


def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
    """Read the training images class by class, then the validation images by number.

    Yields:
        Batches of images (n, 3, 64, 64), labels 0 to 199 in the catalogue's order of classes.

    Raises:
        DataError: The archive is missing or damaged, has other classes, or another number of
            images; a line of the annotations is wrong or misses an image; or an image is damaged
            or of another size.
    """
    archive = Members(raw / ARCHIVE, dataset)
    listed = _text(archive, f"{FOLDER}/wnids.txt").split()
    if sorted(listed) != sorted(dataset.classes):
        odd = sorted({*listed} ^ {*dataset.classes}) or ["a class twice"]
        raise archive.wrong(
            f"{FOLDER}/wnids.txt: not the {len(dataset.classes)} classes of {CATALOGUE}: "
            f"{raw.name}.classes, such as {odd[0]}"
        )
    readers = {"train": _training, "val": _validation}
    for split, expected in dataset.splits.items():
        if split not in readers:
            raise DataError(
                f"{CATALOGUE}: {raw.name}.splits: {split!r} is none of {', '.join(readers)}"
            )
        images = readers[split](archive, dataset)
        if len(images) != expected:
            raise archive.wrong(
                f"{len(images):,} images of {split}, expected {expected:,} "
                f"({CATALOGUE}: {raw.name}.splits.{split})"
            )
        for start in range(0, len(images), BATCH):
            yield _batch(archive, images[start : start + BATCH], dataset)


def _training(archive: Members, dataset: Dataset) -> list[tuple[str, int]]:
    """Members with their labels, by class, then by number."""
    places = {name: label for label, name in enumerate(dataset.classes)}
    images = []
    for member in archive.names:
        parts = member.split("/")
        if parts[:2] == [FOLDER, "train"] and len(parts) == 5 and parts[3] == "images":
            if parts[2] not in places:
                raise archive.wrong(f"{member}: {parts[2]!r} is no class of {CATALOGUE}")
            images.append((places[parts[2]], _number(archive, member), member))
    return [(member, label) for label, _, member in sorted(images)]


def _validation(archive: Members, dataset: Dataset) -> list[tuple[str, int]]:
    """Members with the labels that the annotations give them, by number."""
    places = {name: label for label, name in enumerate(dataset.classes)}
    file = f"{FOLDER}/val/val_annotations.txt"
    labels: dict[str, int] = {}
    for number, line in enumerate(_text(archive, file).splitlines(), start=1):
        name, _, rest = line.partition("\t")
        member, wnid = f"{FOLDER}/val/images/{name}", rest.partition("\t")[0]
        if wnid not in places:
            raise archive.wrong(f"{file}: line {number}: {wnid!r} is no class of {CATALOGUE}")
        if member in labels:
            raise archive.wrong(f"{file}: line {number}: {name} stands there twice")
        if member not in archive:
            raise archive.wrong(f"{file}: line {number}: there is no {member}")
        labels[member] = places[wnid]
    there = [name for name in archive.names if name.startswith(f"{FOLDER}/val/images/")]
    if missing := [name for name in there if name not in labels]:
        raise archive.wrong(
            f"{file}: no label of {missing[0]} ({len(missing):,} of {len(there):,} images have "
            "none)"
        )
    if twice := [name for name, count in Counter(there).items() if count > 1]:
        raise archive.wrong(f"{twice[0]} is there twice")
    return sorted(labels.items(), key=lambda entry: _number(archive, entry[0]))


def _number(archive: Members, member: str) -> int:
    """The number at the end of an image's name, as in ``val_17.JPEG``."""
    stem, _, kind = member.rpartition("/")[2].rpartition(".")
    digits = stem.rpartition("_")[2]
    if kind != "JPEG" or not re.fullmatch("[0-9]{1,9}", digits):
        raise archive.wrong(f"{member}: no name of an image, such as val_17.JPEG")
    return int(digits)


def _batch(archive: Members, images: list[tuple[str, int]], dataset: Dataset) -> Batch:
    pixels = np.empty((len(images), *dataset.image.shape), dtype=np.uint8)
    for place, (member, _) in enumerate(images):
        image = colours(archive, member).transpose(2, 0, 1)
        if image.shape != dataset.image.shape:
            size, wanted = image.shape[1:], dataset.image
            raise archive.wrong(
                f"{member}: {size[0]}x{size[1]} pixels, expected {wanted.height}x{wanted.width}"
            )
        pixels[place] = image
    return Batch(pixels, np.array([label for _, label in images], dtype=np.int64))


def _text(archive: Members, member: str) -> str:
    try:
        return archive.read(member).decode("ascii")
    except UnicodeDecodeError as error:
        raise archive.wrong(f"{member}: no text: {error}") from error
