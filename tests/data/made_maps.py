"""A reader of maps that are made up, for tests of what does not depend on any format."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from iic.data.maps import Maps, Piece, canvas
from iic.params.datasets import Dataset
from tests.data.faulty_server import file_entry

CONTENT = b"raw"
EACH = 4
"""Images of a piece; they lie far from each other in the arrays."""


class MadeReader:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        count = dataset.count
        self.names = tuple(f"made/{place}" for place in range(count))
        pieces = -(-count // EACH)
        self.pieces = tuple(
            Piece(f"piece {number}", np.arange(number, count, pieces)) for number in range(pieces)
        )

    def read(self, piece: Piece) -> Maps:
        if log := os.environ.get("MADE_LOG"):
            with Path(log).open("a") as file:
                file.write(f"{piece.key}\n")
        time.sleep(float(os.environ.get("MADE_SECONDS", "0")))
        maps = canvas(len(piece.places), self._dataset.image.shape)
        for row, place in enumerate(piece.places.tolist()):
            noise = np.random.default_rng(place)
            maps.sizes[row] = 3, 5
            maps.images[row, :, :3, :5] = noise.integers(1, 255, (1, 3, 5))
            if place % 5:
                maps.labels[row, :3, :5] = noise.integers(0, 2, (3, 5))
        return maps


def open_maps(raw: Path, dataset: Dataset) -> MadeReader:
    return MadeReader(dataset)


def made(
    root: Path, count: int = 30, name: str = "made", side: int = 6, **changes: object
) -> Dataset:
    """Write a raw file into the clone `root`; return an entry of `count` images."""
    path = root / "data/raw" / name / "made.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    entry: dict[str, object] = {
        "title": "Made up",
        "description": "Noise.",
        "module": "tests.data.made_maps",
        "classes": ("a", "b"),
        "image": {"channels": 2, "height": side, "width": side + 1},
        "maps": {"scale": 1.0, "least_side": 1},
        "splits": {"one": count - 10, "two": 10},
        "licence": "none",
        "citation": "@misc{made}",
        "page": "https://example.org/",
        "mirrors": ("https://example.org/",),
        "files": (file_entry("made.bin", CONTENT),),
    }
    return Dataset.model_validate({**entry, **changes})
