"""DAC, its released variant, ADC and JULE on scikit-learn's digits, laid out as MNIST's."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from iic.data.digits import lay_out
from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths

WARP: dict[str, Any] = {
    "kind": "warp", "image_channels": 1, "crop": 28, "input_size": 14, "shift": 0.05,
    "affine": {
        "probability": 1.0, "rotation_degrees": 10.0, "translate": 0.05, "shear_degrees": 0.0,
    },
}  # fmt: skip
DAC: dict[str, Any] = {
    "classifier": {"input_size": 14, "in_channels": 1, "widths": [8, 16], "convolutions": 1},
    "augmentation": WARP,
    "k": 10,
    "batch_images": 60,
    "schedule": {"epochs": 3, "evaluation_batch": 100},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "dac": DAC,
    "dac-all_samples": DAC | {"all_samples": {"chunk_images": 140, "chunk_epochs": 2}},
    "adc": {
        "embedder": {"input_size": 14, "in_channels": 1, "widths": [8, 16], "embedding": 16},
        "augmentation": WARP,
        "k": 10,
        "batch_images": 60,
        "schedule": {"epochs": 3, "evaluation_batch": 100},
    },
    "jule": {
        "encoder": {"input_size": 14, "in_channels": 1, "widths": [8, 16], "features": 16},
        "graph": {"rate": 0.5},
        "k": 10,
        "batch_images": 60,
        "round_epochs": 1,
        "schedule": {"epochs": 6, "evaluation_batch": 100},
    },
}
"""300 images: 5 steps an epoch; a chunk of DAC* has 6 steps, and the 300 have 2 chunks."""
NAMES = list(SETTINGS)


def module(name: str) -> ModuleType:
    """The method's module."""
    return importlib.import_module(f"iic.methods.{name.partition('-')[0]}.method")


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 images as uint8 (N, 1, 28, 28), and their classes."""
    data = load_digits()
    images = lay_out(data.data.reshape(-1, 8, 8).astype(np.int64))[:, None]
    return images, data.target.astype(np.int64)


def context(
    folder: Path,
    name: str,
    seed: int = 0,
    labelled: bool = True,
    number: int = 300,
    splits: dict[str, int] | None = None,
    images: np.ndarray | None = None,
    **changes: Any,
) -> RunContext[Any]:
    """A run of `name` on the first digits, as the command line would hand it to the method."""
    pictures, labels = (part[:number] for part in digits())
    if images is not None:
        pictures = images
    return RunContext(
        data=in_memory(pictures, labels if labelled else None, 10, splits),
        classes=10,
        settings=validate(module(name).Settings, merged(SETTINGS[name], changes), "t", "settings"),
        seed=seed,
        paths=RunPaths("test", f"digits/{name}", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def train(folder: Path, name: str, **arguments: Any) -> Outcome:
    """Train it; arguments as for `context`."""
    outcome = module(name).train(context(folder, name, **arguments))
    assert isinstance(outcome, Outcome)
    return outcome


def score(outcome: Outcome) -> float:
    """Accuracy of the last clusters in percent."""
    _, labels = digits()
    clusters = outcome.last.clusters
    (found,) = accuracy_per_sub_head(clusters, labels[: len(clusters)], 10, 10)
    return float(found)
