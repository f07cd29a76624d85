"""Tiny datasets in the official formats, for tests of the readers."""

from __future__ import annotations

import hashlib
from pathlib import Path

from iic.data.standin.content import content
from iic.params.datasets import Dataset, load_catalogue

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = load_catalogue(ROOT / "params" / "datasets.yaml")
STAND_INS = [name for name, entry in CATALOGUE.items() if entry.generator and not entry.maps]
SCENES = [name for name, entry in CATALOGUE.items() if entry.generator and entry.maps]
"""Stand-ins with one label an image; with one for every pixel."""


def tiny(name: str, **changes: object) -> Dataset:
    """A stand-in of the catalogue with other sizes and the checksums that belong to them."""
    entry = CATALOGUE[name].model_dump() | changes
    return listed(Dataset.model_validate(entry))


def listed(dataset: Dataset, **contents: bytes) -> Dataset:
    """The dataset with sizes and checksums of what its generator writes, or of `contents`.

    Keys of `contents` are names of files without their folder, with ``_`` for any other sign.
    """
    files = []
    for file in dataset.files:
        key = "".join(c if c.isalnum() else "_" for c in file.name.split("/")[-1])
        data = contents[key] if key in contents else content(file.name, dataset)
        sums = {"size": max(len(data), 1), "sha256": hashlib.sha256(data).hexdigest()}
        files.append({"name": file.name, **sums})
    return Dataset.model_validate(dataset.model_dump() | {"files": tuple(files)})


def write_raw(dataset: Dataset, raw: Path) -> None:
    """Write the files of a stand-in below `raw`."""
    for file in dataset.files:
        path = raw / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(file.name, dataset))
