"""The files of every stand-in: which images and labels go where.

Sizes, classes and names come from the catalogue; a class is drawn by its name (`shapes.SHAPES`).
``python -m iic.data.standin.content NAME`` prints the files' entries for the catalogue.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from iic.data.standin import coco_files, formats, potsdam_files
from iic.data.standin.faults import wrong
from iic.data.standin.shapes import SHAPES, figure, shuffled, texture
from iic.params.datasets import Dataset, find_dataset

Draw = Callable[[str, int, str], NDArray[np.uint8]]

FOLDS, FOLD_SHARE = 10, 5
"""As in STL-10: ten folds, each a fifth of the training images."""

SUPERCLASSES = {
    "rounds": ("discs", "rings"),
    "signs": ("crosses", "pluses"),
    "stripes": ("flat_stripes", "upright_stripes"),
    "tiles": ("checkerboard", "diamonds"),
    "zigzags": ("flat_zigzag", "upright_zigzag"),
}
"""Coarse class -> its fine ones, for the stand-ins of CIFAR-100."""


def content(name: str, dataset: Dataset) -> bytes:
    """The file `name` of a stand-in, the same bytes on every machine.

    Args:
        name: As in the catalogue.
        dataset: The catalogue's entry.

    Raises:
        DataError: No such file belongs to the formats, or there is no such shape to draw.
    """
    path = PurePosixPath(name)
    folder = path.parent.as_posix()
    if folder in WRITERS:
        return WRITERS[folder](path.name, dataset)
    raise wrong(f"file {name!r} is in none of {', '.join(repr(writer) for writer in WRITERS)}")


def _labels(part: str, count: int, classes: int) -> NDArray[np.int64]:
    """As many of each class as can be, in random order, (count,)."""
    return shuffled(f"{part} labels", count) % classes


def _images(
    part: str, shapes: Sequence[str], dataset: Dataset, draw: Draw = texture
) -> NDArray[np.uint8]:
    """One image of each of `shapes` in turn, (n, channels, height, width)."""
    for shape in shapes:
        if shape not in SHAPES:
            raise wrong(f"class {shape!r} is none of {', '.join(SHAPES)}")
    side = dataset.image.height
    return np.stack([draw(shape, side, f"{part} {i}") for i, shape in enumerate(shapes)])


def _named(labels: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    return [classes[label] for label in labels]


def _stl10(file: str, dataset: Dataset) -> bytes:
    if file == "class_names.txt":
        return formats.lines(dataset.classes)
    if file == "fold_indices.txt":
        train = dataset.splits["train"]
        folds = [shuffled(f"stl10 fold {fold}", train) for fold in range(FOLDS)]
        return formats.lines(
            " ".join(map(str, sorted(fold[: train // FOLD_SHARE]))) for fold in folds
        )
    split, _, what = file.removesuffix(".bin").partition("_")
    if split not in dataset.splits or what not in ("X", "y"):
        raise wrong(f"{file!r} is no file of STL-10")
    part, count = f"stl10 {split}", dataset.splits[split]
    if split == "unlabeled":
        # as in STL-10, from more classes than the labelled ones
        every = list(SHAPES)
        shapes = _named(_labels(part, count, len(every)), every)
        return formats.stl10_images(_images(part, shapes, dataset))
    labels = _labels(part, count, len(dataset.classes))
    if what == "y":
        return formats.stl10_labels(labels)
    return formats.stl10_images(_images(part, _named(labels, dataset.classes), dataset))


def _cifar10(file: str, dataset: Dataset) -> bytes:
    if file == "batches.meta":
        return formats.python2_pickle(
            {
                "num_cases_per_batch": _cases(dataset),
                "label_names": list(dataset.classes),
                "num_vis": int(np.prod(dataset.image.shape)),
            }
        )
    if file == "test_batch":
        count, said = dataset.splits["test"], "testing batch 1 of 1"
    else:
        number, batches = file.removeprefix("data_batch_"), _batches(dataset)
        count, said = _cases(dataset), f"training batch {number} of {batches}"
        if number not in map(str, range(1, batches + 1)):
            raise wrong(f"{file!r} is no file of CIFAR-10")
    part = f"cifar10 {file}"
    labels = _labels(part, count, len(dataset.classes))
    shapes = _named(labels, dataset.classes)
    return formats.python2_pickle(
        {
            "batch_label": said,
            "labels": labels.tolist(),
            "data": _rows(_images(part, shapes, dataset)),
            "filenames": _filenames(shapes),
        }
    )


def _batches(dataset: Dataset) -> int:
    return sum("data_batch_" in file.name for file in dataset.files)


def _cases(dataset: Dataset) -> int:
    count, rest = divmod(dataset.splits["train"], _batches(dataset))
    if rest:
        raise wrong(f"splits: {dataset.splits['train']} training images in equal batches")
    return count


def _cifar100(file: str, dataset: Dataset) -> bytes:
    # one set of files for both entries: the classes of the one are those of the other
    coarse = sorted(SUPERCLASSES)
    above = {fine: index for index, name in enumerate(coarse) for fine in SUPERCLASSES[name]}
    fine = sorted(above)
    if list(dataset.classes) not in (coarse, fine):
        raise wrong(f"classes: neither {', '.join(coarse)} nor {', '.join(fine)}")
    if file == "meta":
        return formats.python2_pickle({"fine_label_names": fine, "coarse_label_names": coarse})
    if file not in dataset.splits:
        raise wrong(f"{file!r} is no file of CIFAR-100")
    part = f"cifar100 {file}"
    labels = _labels(part, dataset.splits[file], len(fine))
    shapes = _named(labels, fine)
    return formats.python2_pickle(
        {
            "filenames": _filenames(shapes),
            "batch_label": f"{file}ing batch 1 of 1",
            "fine_labels": labels.tolist(),
            "coarse_labels": [above[shape] for shape in shapes],
            "data": _rows(_images(part, shapes, dataset)),
        }
    )


def _rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images.reshape(len(images), -1)


def _filenames(shapes: Sequence[str]) -> list[str]:
    return [f"{shape}_s_{number:06d}.png" for number, shape in enumerate(shapes, start=1)]


def _mnist(file: str, dataset: Dataset) -> bytes:
    prefix, _, what = file.partition("-")
    split = {"train": "train", "t10k": "test"}.get(prefix, "")
    if split not in dataset.splits:
        raise wrong(f"{file!r} is no file of MNIST")
    part = f"mnist {split}"
    labels = _labels(part, dataset.splits[split], len(dataset.classes))
    if what == "labels-idx1-ubyte.gz":
        return formats.idx_gz(labels.astype(np.uint8))
    images = _images(part, _named(labels, dataset.classes), dataset, figure)
    return formats.idx_gz(images[:, 0])


def _whole(file: str, dataset: Dataset) -> bytes:
    """A file that the official source offers as it is, without a folder."""
    if not file.endswith(".zip"):
        return _mnist(file, dataset)
    if file.startswith(("4_", "5_")):
        return potsdam_files.archive(file, dataset)
    return coco_files.archive(file, dataset)


WRITERS: dict[str, Callable[[str, Dataset], bytes]] = {
    "stl10_binary": _stl10,
    "cifar-10-batches-py": _cifar10,
    "cifar-100-python": _cifar100,
    "curated/train2017": lambda file, dataset: coco_files.listing("train", dataset),
    "curated/val2017": lambda file, dataset: coco_files.listing("val", dataset),
    ".": _whole,
}
"""Folder of a file, as in the official archive -> who writes it."""


def main(name: str) -> None:
    """Print the files' entries as they are to stand in the catalogue."""
    dataset = find_dataset(name)
    for file in dataset.files:
        written = content(file.name, dataset)
        print(f"    - name: {file.name}")
        print(f"      size: {len(written)}")
        print(f"      sha256: {hashlib.sha256(written).hexdigest()}")


if __name__ == "__main__":
    main(sys.argv[1])
