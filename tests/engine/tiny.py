"""A run small enough to train in a second, on images made by the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iic.data.in_memory import in_memory
from iic.engine.context import RunContext
from iic.methods.iic.method import Settings
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths

SETTINGS: dict[str, Any] = {
    "network": {
        "family": "B",
        "input_size": 8,
        "in_channels": 1,
        "channels": [4, 8],
        "batchnorm_running_statistics": True,
    },
    "augmentation": {"kind": "grey", "crop": 8, "crops": [6, 8, 10], "input_size": 8},
    "pairs": {"batch_pairs": 24, "repeats": 3},
    "head_a": {"k": 6, "passes": 1},
    "head_b": {"k": 4, "passes": 2},
    "sub_heads": 2,
    "optimiser": {"learning_rate": 1e-3},
    "schedule": {"epochs": 3, "evaluation_batch": 16},
}


def settings(**changes: Any) -> Settings:
    return validate(Settings, merged(SETTINGS, changes), "tests", "tiny")


def images(number: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Bars in four directions with noise, and their direction."""
    draw = np.random.default_rng(0)
    labels = np.arange(number) % 4
    pictures = draw.integers(0, 60, (number, 1, 12, 12))
    for index, label in enumerate(labels):
        at = draw.integers(3, 9)
        if label == 0:
            pictures[index, 0, at] = 255
        elif label == 1:
            pictures[index, 0, :, at] = 255
        elif label == 2:
            pictures[index, 0, np.arange(12), np.arange(12)] = 255
        else:
            pictures[index, 0, np.arange(12), 11 - np.arange(12)] = 255
    return pictures.astype(np.uint8), labels.astype(np.int64)


def context(
    folder: Path,
    seed: int = 0,
    labelled: bool = True,
    number: int = 40,
    splits: dict[str, int] | None = None,
    **changes: Any,
) -> RunContext[Any]:
    pictures, labels = images(number)
    return RunContext(
        data=in_memory(pictures, labels if labelled else None, 4, splits),
        classes=4,
        settings=settings(**changes),
        seed=seed,
        paths=RunPaths("test", "bars/iic", seed),
        fingerprint="f" * 64,
        root=folder,
    )
