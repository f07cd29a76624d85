"""Clones with raw files of Potsdam: small images, made up, in the official archives' layout."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from iic.data.aerial import COLOURS
from iic.data.potsdam import IMAGES, LABELS
from iic.params.datasets import Dataset
from tests.data.standin_helpers import CATALOGUE

NAME = "potsdam6"
TILES, SIDE = 3, 4
WHOLE = 2 * TILES * SIDE
"""Side of a source image."""
PLACES = ("2_10", "2_13", "7_9")
"""Two images with labels, one without."""
PALETTE = np.array(list(COLOURS), np.uint8)

Files = dict[str, bytes]


def image_of(place: str, side: int = WHOLE, channels: int = 4) -> NDArray[np.uint8]:
    seed = [int(number) for number in place.split("_")]
    return np.random.default_rng(seed).integers(0, 256, (side, side, channels), np.uint8)


def classes_of(place: str, side: int = WHOLE) -> NDArray[np.uint8]:
    seed = [int(number) for number in place.split("_")] + [1]
    return np.random.default_rng(seed).integers(0, 6, (side, side), np.uint8)


def tif(image: NDArray[np.generic], **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **({"photometric": "rgb"} | options))
    return file.getvalue()


def zipped(path: Path, files: Files) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def images(folder: str = "4_Ortho_RGBIR/") -> Files:
    return {f"{folder}top_potsdam_{place}_RGBIR.tif": tif(image_of(place)) for place in PLACES}


def labels(folder: str = "") -> Files:
    return {
        f"{folder}top_potsdam_{place}_label.tif": tif(PALETTE[classes_of(place)])
        for place in ("2_10", "7_9")
    }


def raw_of(root: Path, name: str = NAME) -> Path:
    return root / "data/raw" / name


def write(root: Path, pictures: Files, maps: Files, name: str = NAME) -> Path:
    """Write both archives into the clone `root`; return the raw folder."""
    raw = raw_of(root, name)
    zipped(raw / IMAGES, pictures)
    zipped(raw / LABELS, maps)
    return raw


def entry(name: str = NAME, side: int = SIDE, tiles: int = TILES, **changes: object) -> Dataset:
    """The catalogue's entry for three images as small as these."""
    each = tiles**2
    return Dataset.model_validate(
        CATALOGUE[name].model_dump()
        | {
            "image": {"channels": 4, "height": side, "width": side},
            "maps": {"scale": 0.5, "least_side": side, "tiles": tiles},
            "splits": {
                "unlabelled_train": each,
                "labelled_train": 2 * each - each // 3,
                "labelled_test": each // 3,
            },
        }
        | changes
    )


def with_checksums(dataset: Dataset, raw: Path) -> Dataset:
    """The entry with the sizes and checksums of what lies in `raw`."""
    files = []
    for file in dataset.files:
        path = raw / file.name
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        files.append({"name": file.name, "size": path.stat().st_size, "sha256": digest})
    return Dataset.model_validate(dataset.model_dump() | {"files": tuple(files)})
