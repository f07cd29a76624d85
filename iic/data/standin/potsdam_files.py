"""Potsdam's files with scenes of the stand-ins: zip archives of tif images and label maps.

Some of the images have no label map, as 14 of the real 38.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iic.data.standin.faults import wrong
from iic.data.standin.image_files import tif, zipped
from iic.data.standin.scenes import GRAIN, Layout, Texture, as_pixels, paint, regions
from iic.data.standin.shapes import Chance, Ints, shuffled
from iic.params.datasets import Dataset

# All sizes are pixels of the raw images, of which half is left.
LAYOUT = Layout(spacing=60, wobble=9, patch=5)
TEXTURES = {
    "roads": Texture("flat_stripes", 9),
    "buildings": Texture("checkerboard", 9),
    "low_vegetation": Texture("upright_stripes", 9),
    "trees": Texture("diamonds", 10),
    "cars": Texture("slanted_stripes", 7),
    "clutter": Texture(GRAIN, 6),
}
"""In the order of the classes of Potsdam-6."""
MERGED = {"trees": "low_vegetation", "cars": "roads", "clutter": "buildings"}
"""In the stand-in for Potsdam-3 a class looks like the one that it is merged with."""
VEGETATION = ("low_vegetation", "trees")
INFRARED = 3
"""Grey levels by which vegetation is lighter in infrared, and all else darker, in the stand-in for
Potsdam-6. In that for Potsdam-3 even so little would be all that is found: a mean over a region."""
COLOURS = (
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 255),
    (0, 255, 0),
    (255, 255, 0),
    (255, 0, 0),
)
"""ISPRS's colour of each."""
LABELLED = ("2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "6_7", "6_8")
BARE = ("2_13", "2_14", "3_13", "3_14")
"""Images without labels, as 14 of the real 38."""


def archive(file: str, dataset: Dataset) -> bytes:
    """One of Potsdam's zip archives."""
    if dataset.maps is None or dataset.maps.tiles is None:
        raise wrong(f"{dataset.title}: Potsdam is cut into tiles")
    side = round(dataset.maps.tiles * dataset.image.height / dataset.maps.scale)
    merged = MERGED if len(dataset.classes) == 3 else {}
    kind = f"potsdam {len(dataset.classes)}"
    textures = [TEXTURES[merged.get(name, name)] for name in TEXTURES]
    if file == "4_Ortho_RGBIR.zip":
        return zipped(
            (
                f"4_Ortho_RGBIR/top_potsdam_{position}_RGBIR.tif",
                tif(_image(f"{kind} {position}", side, textures, 0 if merged else INFRARED)),
            )
            for position in (*LABELLED, *BARE)
        )
    if file == "5_Labels_for_participants.zip":
        colours = np.array(COLOURS, dtype=np.uint8)
        return zipped(
            (
                f"5_Labels_for_participants/top_potsdam_{position}_label.tif",
                tif(colours[_classes(f"{kind} {position}", side)].transpose(2, 0, 1)),
            )
            for position in LABELLED
        )
    raise wrong(f"{file!r} is no file of Potsdam")


def _classes(name: str, side: int) -> Ints:
    """Class of each pixel of a source image, an index into `TEXTURES`, (side, side)."""
    area = regions(side, side, LAYOUT, name)
    # as many regions of each class as can be, and not always one more of the same ones
    first = Chance(f"{name} first class").between(0, len(TEXTURES) - 1)
    of = (shuffled(f"{name} classes", int(area.max()) + 1) + first) % len(TEXTURES)
    return of[area]


def _image(name: str, side: int, textures: Sequence[Texture], infrared: int) -> NDArray[np.uint8]:
    classes = _classes(name, side)
    image = paint(classes, textures, LAYOUT, 4, name)
    green = np.isin(classes, [list(TEXTURES).index(texture) for texture in VEGETATION])
    image[3] += np.where(green, infrared, -infrared)
    return as_pixels(image)
