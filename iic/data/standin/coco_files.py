"""COCO's files with scenes of the stand-ins: zip archives of images and label maps, curated lists.

Label maps are written as the official ones are, so that a reader has to merge: each region has one
of the fine classes in its superclass, and there are things, stuff of other superclasses and spots
without a label. Some images are in no list, some are upright, some so flat that they are padded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iic.data.standin.faults import wrong
from iic.data.standin.image_files import jpg, png, zipped
from iic.data.standin.scenes import GRAIN, Layout, Texture, as_pixels, ellipse, paint, regions
from iic.data.standin.shapes import Chance, Ints, shuffled
from iic.params.datasets import Dataset

# All sizes are pixels of the raw images, of which a third is left.
SIZES = ((160, 121),) * 10 + ((121, 160), (160, 104))
"""Width and height, drawn for each image: one in twelve is upright, one is flat and padded."""
LAYOUT = Layout(spacing=84, wobble=9, patch=8)
TEXTURES = {
    "building": Texture("checkerboard", 11),
    "ground": Texture("diamonds", 12),
    "plant": Texture("upright_stripes", 11),
    "sky": Texture("flat_stripes", 11),
    "structural": Texture("slanted_stripes", 11),
    "water": Texture(GRAIN, 10),
}
"""How each superclass looks; it names what a stand-in can have."""
FINE = {
    "building": (94, 95, 127, 150, 157, 165),
    "ground": (110, 124, 125, 135, 139, 143, 144, 146, 148, 153, 158),
    "plant": (93, 96, 118, 123, 128, 133, 141, 162, 168),
    "sky": (105, 156),
    "structural": (98, 112, 137, 145, 163),
    "water": (119, 147, 154, 177, 178),
}
"""COCO-Stuff's label values of each superclass."""
UNLABELLED = 255
SPOTS = ((0, 2, 16, 17, 61), (170, 171, 175, 179), (UNLABELLED,))
"""Label values of what a spot may be: things, stuff of other superclasses, nothing."""
SPOT_RADIUS = 18
"""Pixels. Each image has up to two spots, which are plain and take some pixels from the classes."""
HEIGHTS = ("sky", "building", "structural", "plant", "water", "ground")
UPRIGHT_ORDER = 40
"""Percent of the regions whose class fits their height, from sky to ground. The others have any
class, so that all are about equally frequent."""
UNLISTED = 20
"""One image more than the lists have for as many."""


def archive(file: str, dataset: Dataset) -> bytes:
    """One of COCO's zip archives: ``train2017.zip``, ``val2017.zip`` or that of the label maps."""
    classes = _known(dataset.classes, TEXTURES)
    if file == "stuffthingmaps_trainval2017.zip":
        return zipped(
            (f"{split}2017/{image}.png", png(_labels(image, split, classes)[0]))
            for split, count in dataset.splits.items()
            for image in names(split, count)
        )
    split = file.removesuffix("2017.zip")
    if split not in dataset.splits:
        raise wrong(f"{file!r} is no file of COCO-Stuff")
    return zipped(
        (f"{split}2017/{image}.jpg", jpg(_image(image, split, classes)))
        for image in names(split, dataset.splits[split])
    )


def listing(split: str, dataset: Dataset) -> bytes:
    """The list of a split's images, one a line, without what is in the archive besides."""
    if split not in dataset.splits:
        raise wrong(f"there is no list of {split!r} in COCO-Stuff")
    count = dataset.splits[split]
    listed = names(split, count)
    chosen = sorted(shuffled(f"coco {split} list", len(listed))[:count].tolist())
    return "".join(f"{listed[index]}\n" for index in chosen).encode("ascii")


def names(split: str, count: int) -> list[str]:
    """Names of the images of a split whose list has `count` of them."""
    first = 9 if split == "train" else 139
    return [f"{first + 16 * index:012d}" for index in range(count + -(-count // UNLISTED))]


def _known(classes: Sequence[str], textures: dict[str, Texture]) -> tuple[str, ...]:
    for name in classes:
        if name not in textures:
            raise wrong(f"class {name!r} is none of {', '.join(textures)}")
    return tuple(classes)


def _labels(image: str, split: str, classes: tuple[str, ...]) -> tuple[NDArray[np.uint8], Ints]:
    """Label values of an image, and its textures: those of `classes`, then none."""
    name = f"coco {len(classes)} {split} {image}"
    chance = Chance(name, 400)
    width, height = SIZES[chance.between(0, len(SIZES) - 1)]
    area = regions(height, width, LAYOUT, name)
    count = int(area.max()) + 1
    by_height = sorted(range(len(classes)), key=lambda index: HEIGHTS.index(classes[index]))
    textures, values = [], []
    for region in range(count):
        if chance.between(1, 100) <= UPRIGHT_ORDER:
            # somewhere in the part of the height that the region has, counted by regions
            above = region * len(classes) + chance.between(0, len(classes) - 1)
            index = by_height[above // count]
        else:
            index = chance.between(0, len(classes) - 1)
        fine = FINE[classes[index]]
        textures.append(index)
        values.append(fine[chance.between(0, len(fine) - 1)])
    places = np.array(textures)[area]
    labels = np.array(values)[area]
    for spot in range(chance.between(0, 2)):
        of = SPOTS[chance.between(0, len(SPOTS) - 1)]
        inside, line = ellipse(height, width, SPOT_RADIUS, f"{name} {spot}")
        places[inside | line] = len(classes)
        labels[inside] = of[chance.between(0, len(of) - 1)]
        labels[line] = UNLABELLED
    return labels.astype(np.uint8), places


def _image(image: str, split: str, classes: tuple[str, ...]) -> NDArray[np.uint8]:
    places = _labels(image, split, classes)[1]
    textures = [*(TEXTURES[name] for name in classes), None]
    name = f"coco {len(classes)} {split} {image}"
    return as_pixels(paint(places, textures, LAYOUT, 3, name))
