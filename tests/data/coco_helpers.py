"""Clones with raw files of COCO-Stuff: tiny ones made here, and one of the real samples."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iic.params.datasets import Dataset, find_dataset
from tests.data.faulty_server import SHARED, file_entry

SAMPLES = SHARED / "cocostuff"
CATALOGUE = Path(__file__).resolve().parents[2] / "params" / "datasets.yaml"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no COCO-Stuff in {SAMPLES}")

SKY, PLANT, GROUND, WALL, PERSON, NONE = 105, 93, 110, 170, 0, 255
"""Label values of each superclass of COCO-Stuff-3, and of three that are none of its classes."""
Files = dict[str, bytes]


def number(index: int) -> str:
    return f"{index:012d}"


def jpg(pixels: NDArray[np.uint8], mode: str | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, "JPEG", quality=95)
    return file.getvalue()


def png(labels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "PNG")
    return file.getvalue()


def scene(index: int, height: int = 40, width: int = 60) -> tuple[bytes, bytes]:
    """A grey image of brightness `index`, and labels with a band of each kind."""
    labels = np.repeat(np.array([SKY, PLANT, GROUND, WALL, NONE], np.uint8), height // 5)
    return (
        jpg(np.full((height, width, 3), index, np.uint8)),
        png(np.repeat(labels[:, None], width, axis=1)),
    )


def tiny(train: int = 5, val: int = 3) -> Files:
    """Members of the three archives and the two lists, by path below them."""
    files: Files = {}
    for split, count, first in (("train2017", train, 0), ("val2017", val, 100)):
        numbers = range(first, first + count)
        for index in numbers:
            files[f"{split}/{number(index)}.jpg"], files[f"{split}/{number(index)}.png"] = scene(
                index
            )
        files[f"curated/{split}/list.txt"] = "".join(f"{number(one)}\n" for one in numbers).encode()
    return files


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            # a fixed date: the same members are the same bytes
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def raw_files(files: Files) -> Files:
    """The raw files, by name: archives of the members and lists."""
    raw = {
        f"{split}.zip": zipped(
            {name: one for name, one in files.items() if name.startswith(split) and "jpg" in name}
        )
        for split in ("train2017", "val2017")
    }
    raw["stuffthingmaps_trainval2017.zip"] = zipped(
        {name: one for name, one in files.items() if name.endswith(".png")}
    )
    return raw | {name: one for name, one in files.items() if name.startswith("curated")}


def write_raw(root: Path, raw: Files, name: str = "cocostuff3", **changes: Any) -> Dataset:
    """Write raw files into the clone `root`; return an entry that knows them."""
    for file, content in raw.items():
        path = root / "data/raw" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    entry = find_dataset(name, CATALOGUE).model_dump()
    lists = {split: raw[f"curated/{split}2017/list.txt"].split() for split in ("train", "val")}
    entry |= {
        "splits": {split: len(lines) for split, lines in lists.items()},
        "files": tuple(file_entry(file, content) for file, content in raw.items()),
        "image": {"channels": 3, "height": 24, "width": 24},
        "maps": {"scale": 0.33, "least_side": 18},
        **changes,
    }
    return Dataset.model_validate(entry)


def samples() -> Files:
    """The real samples as `tiny` gives its files; the lists name all of them."""
    files: Files = {}
    for split in ("train2017", "val2017"):
        names = sorted(path.stem for path in (SAMPLES / "images" / split).iterdir())
        for name in names:
            files[f"{split}/{name}.jpg"] = (SAMPLES / "images" / split / f"{name}.jpg").read_bytes()
            labels = SAMPLES / "annotations" / split / f"{name}.png"
            files[f"{split}/{name}.png"] = labels.read_bytes()
        files[f"curated/{split}/list.txt"] = "".join(f"{name}\n" for name in names).encode()
    return files
