"""A segmentation small enough to train in seconds, on scenes made by the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iic.data.maps import IGNORED, UNLABELLED
from iic.engine.map_context import MapContext
from iic.methods.iic.maps import Settings
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths
from tests.prepared_maps import prepared_maps

CLASSES = ("sky", "plant", "ground")
SIDE = 24

SETTINGS: dict[str, Any] = {
    "network": {"input_size": SIDE, "in_channels": 5, "channels": [8, 12, 16, 16]},
    "augmentation": {"input_size": SIDE},
    "shifts": {"half_side": 2},
    "pairs": {"batch_pairs": 4, "repeats": 1, "order": "shuffled"},
    "head_a": {"k": 6},
    "head_b": {"k": 3},
    "optimiser": {"learning_rate": 3e-3},
    "schedule": {"epochs": 4, "evaluation_batch": 5},
    "maps": {"examples": 3},
}


def scenes(number: int = 10, height: int = 28, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Three bands: smooth, checked and upright stripes; some pixels unlabelled or ignored."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    images = draw.integers(90, 160, (number, 3, height, width))
    labels = np.empty((number, height, width), np.uint8)
    for index in range(number):
        first, second = draw.integers(7, 11), draw.integers(16, 21)
        labels[index] = (y >= first).astype(np.uint8) + (y >= second)
        pattern = np.where(labels[index] == 1, (x + y) // 2 % 2, x // 2 % 2)
        images[index] += np.where(labels[index] == 0, 0, 90 * pattern - 45)
        labels[index, :, :2] = IGNORED
        labels[index, :2, :] = UNLABELLED
    return images.clip(0, 255).astype(np.uint8), labels


def context(
    folder: Path,
    seed: int = 0,
    splits: dict[str, int] | None = None,
    tiles: int | None = None,
    sizes: np.ndarray | None = None,
    names: tuple[str, ...] | None = None,
    **changes: Any,
) -> MapContext[Any]:
    images, labels = scenes()
    return MapContext(
        data=prepared_maps(images, labels, CLASSES, splits, sizes, tiles, names),
        classes=len(CLASSES),
        settings=validate(Settings, merged(SETTINGS, changes), "tests", "scenes"),
        seed=seed,
        paths=RunPaths("test", "scenes/iic", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )
