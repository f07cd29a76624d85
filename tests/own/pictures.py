"""Small folders of images: two kinds that a network tells apart in seconds, and messy files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def shapes(count: int, kinds: int = 2, side: int = 20, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Grey images uint8 (n, side, side) of stripes, lying or standing, or discs; kinds (n,)."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.arange(count) % kinds
    images = np.empty((count, side, side), np.uint8)
    for index, kind in enumerate(labels):
        phase = draw.integers(0, 6)
        if kind == 2:
            radius = draw.uniform(4, 7)
            pattern = np.hypot(rows - side / 2, columns - side / 2) < radius
        else:
            pattern = ((rows if kind else columns) + phase) % 6 < 3
        noise = draw.normal(0, 8, (side, side))
        images[index] = np.clip(pattern * 180 + 30 + noise, 0, 255)
    return images, labels


def folder(path: Path, count: int = 40, kinds: int = 2, seed: int = 0) -> Path:
    """Images of `shapes` as png, in a subfolder for each kind."""
    images, labels = shapes(count, kinds, seed=seed)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        target = path / f"kind{label}" / f"{index:03d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(target)
    return path


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
