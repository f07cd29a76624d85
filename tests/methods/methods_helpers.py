"""Methods on a piece of scikit-learn's digits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from iic.data.in_memory import in_memory
from iic.engine.context import RunContext
from iic.params.loading import validate
from iic.params.method import MethodSettings
from iic.records.paths import RunPaths

NUMBER = 120
TINY_NETWORK: dict[str, Any] = {
    "network": {"family": "B", "input_size": 8, "in_channels": 1, "channels": [4, 8]},
    "augmentation": {"kind": "grey", "crop": 8, "crops": [7, 8], "input_size": 8},
    "pairs": {"batch_pairs": 60, "repeats": 2},
    "sub_heads": 3,
}
IIC = TINY_NETWORK | {
    "head_a": {"k": 15},
    "head_b": {"k": 10},
    "optimiser": {"learning_rate": 1e-3},
    "schedule": {"epochs": 2, "evaluation_batch": 50},
}
STAR = TINY_NETWORK | {
    "head": {"k": 15, "splits": ["train"]},
    "evaluation": {"matching": "many_to_one", "mapping": ["train"], "test": ["test"]},
    "optimiser": {"learning_rate": 1e-3},
    "schedule": {"epochs": 2, "evaluation_batch": 50},
}
SPLITS = {"train": 80, "test": 40}
RANDOM = TINY_NETWORK | {"k": 10, "evaluation_batch": 50}
KMEANS: dict[str, Any] = {"k": 10, "restarts": 2}


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The first images as uint8 (N, 1, 8, 8), and their classes."""
    data = load_digits()
    images = np.rint(data.images[:NUMBER] / 16 * 255).astype(np.uint8)[:, None]
    return images, data.target[:NUMBER].astype(np.int64)


def context(
    folder: Path,
    model: type[MethodSettings],
    settings: dict[str, Any],
    seed: int = 0,
    labelled: bool = True,
    splits: dict[str, int] | None = None,
) -> RunContext[Any]:
    """A run on the digits, as the command line would hand it to a method."""
    images, labels = digits()
    return RunContext(
        data=in_memory(images, labels if labelled else None, 10, splits),
        classes=10,
        settings=validate(model, settings, "tests", "settings"),
        seed=seed,
        paths=RunPaths("test", "digits/method", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )
