"""COCO-Stuff's 182 classes in their 27 superclasses.

IIC numbers the superclasses in this order (docs/spec/segmentation.md#coco-stuff). The label images
have 0 to 90 for things, 91 to 181 for stuff and 255 where there is no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from iic.data.maps import lookup

FINE = 182
"""Number of fine classes, the values 0 to 181."""
NO_LABEL = 255

THINGS: Mapping[str, tuple[int, ...]] = {
    "electronic": tuple(range(71, 77)),
    "appliance": tuple(range(77, 83)),
    "food": tuple(range(51, 61)),
    "furniture": tuple(range(61, 71)),
    "indoor": tuple(range(83, 91)),
    "kitchen": tuple(range(43, 51)),
    "accessory": tuple(range(25, 33)),
    "animal": tuple(range(15, 25)),
    "outdoor": tuple(range(9, 15)),
    "person": (0,),
    "sports": tuple(range(33, 43)),
    "vehicle": tuple(range(1, 9)),
}
"""Superclasses 0 to 11 -> their fine classes."""
STUFF: Mapping[str, tuple[int, ...]] = {
    "ceiling": (101, 102),
    "floor": (100, 113, 114, 115, 116, 117),
    "food": (120, 121, 152, 169),
    "furniture": (97, 106, 107, 109, 111, 122, 129, 132, 155, 160, 164),
    "rawmaterial": (99, 131, 138, 142),
    "textile": (91, 92, 103, 104, 108, 130, 136, 140, 151, 166, 167),
    "wall": tuple(range(170, 177)),
    "window": (179, 180),
    "building": (94, 95, 127, 150, 157, 165),
    "ground": (110, 124, 125, 135, 139, 143, 144, 146, 148, 153, 158),
    "plant": (93, 96, 118, 123, 128, 133, 141, 162, 168),
    "sky": (105, 156),
    "solid": (126, 134, 149, 159, 161, 181),
    "structural": (98, 112, 137, 145, 163),
    "water": (119, 147, 154, 177, 178),
}
"""Superclasses 12 to 26 -> their fine classes. COCO-Stuff-15 has them all, COCO-Stuff-3 the sky,
plant and ground."""


def superclasses() -> NDArray[np.uint8]:
    """Superclass of each fine class: uint8, (182,)."""
    table = np.zeros(FINE, np.uint8)
    for number, members in enumerate((*THINGS.values(), *STUFF.values())):
        table[list(members)] = number
    return table


def class_codes(classes: Sequence[str]) -> NDArray[np.uint8]:
    """What each value of a label image becomes in the prepared labels.

    Args:
        classes: Superclasses of stuff by name, in the order in which they are to be numbered.

    Returns:
        uint8, (256,): number of the class, `UNLABELLED` for 255, `IGNORED` for all others.

    Raises:
        ValueError: A name is none of a superclass of stuff.
    """
    codes: list[int | None] = [None] * FINE
    for number, name in enumerate(classes):
        if name not in STUFF:
            raise ValueError(f"{name!r} is none of {', '.join(STUFF)}")
        for value in STUFF[name]:
            codes[value] = number
    return lookup(codes, [NO_LABEL])
