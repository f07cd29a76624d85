"""Tiny ImageNet's archive with the stand-ins' patterns: a class is a pattern, called by its name.

There is less noise than in the other stand-ins: crops of an image share its pattern, and what few
steps can learn from them alone is little (docs/imc_swav.md#at-scale-mini).
"""

from __future__ import annotations

from collections.abc import Iterator

from iic.data.standin.faults import wrong
from iic.data.standin.formats import lines
from iic.data.standin.image_files import jpg, zipped
from iic.data.standin.shapes import SHAPES, shuffled, texture
from iic.params.datasets import Dataset

FOLDER = "tiny-imagenet-200"
NOISE = 20
"""Most that noise adds to or takes from a pixel."""
TEST = 2
"""Images without labels, which no reader wants."""


def archive(file: str, dataset: Dataset) -> bytes:
    """``tiny-imagenet-200.zip``.

    Raises:
        DataError: There is no such pattern, or training images are not as many of each class.
    """
    if file != f"{FOLDER}.zip":
        raise wrong(f"{file!r} is no file of Tiny ImageNet")
    if unknown := sorted({*dataset.classes} - {*SHAPES}):
        raise wrong(f"class {unknown[0]!r} is none of {', '.join(SHAPES)}")
    return zipped((f"{FOLDER}/{name}", content) for name, content in _members(dataset))


def _members(dataset: Dataset) -> Iterator[tuple[str, bytes]]:
    classes, side = dataset.classes, dataset.image.height
    each, rest = divmod(dataset.splits["train"], len(classes))
    if rest:
        raise wrong(f"splits: {dataset.splits['train']} training images of {len(classes)} classes")

    def image(shape: str, name: str) -> bytes:
        return jpg(texture(shape, side, f"tiny-imagenet {name}", NOISE))

    box = f"0\t0\t{side - 1}\t{side - 1}"
    yield "wnids.txt", lines(classes)
    yield "words.txt", lines(f"{name}\t{name.replace('_', ' ')}" for name in classes)
    for name in classes:
        files = [f"{name}_{number}.JPEG" for number in range(each)]
        yield f"train/{name}/{name}_boxes.txt", lines(f"{file}\t{box}" for file in files)
        for file in files:
            yield f"train/{name}/images/{file}", image(name, file)
    labels = shuffled("tiny-imagenet val labels", dataset.splits["val"]) % len(classes)
    shapes = [classes[label] for label in labels]
    yield (
        "val/val_annotations.txt",
        lines(f"val_{number}.JPEG\t{shape}\t{box}" for number, shape in enumerate(shapes)),
    )
    for number, shape in enumerate(shapes):
        yield f"val/images/val_{number}.JPEG", image(shape, f"val_{number}")
    for number in range(TEST):
        yield f"test/images/test_{number}.JPEG", image(classes[number], f"test_{number}")
