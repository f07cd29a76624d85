"""DAC, its released variant, ADC and JULE on scikit-learn's digits, laid out as MNIST's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from iic.data.digits import lay_out
from iic.engine.context import Outcome
from iic.evaluate.metrics import accuracy_per_sub_head
from tests.methods.digits_runs import DigitsRuns

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


RUNS = DigitsRuns(SETTINGS, module, digits)
context, train = RUNS.context, RUNS.train


def score(outcome: Outcome) -> float:
    """Accuracy of the last clusters in percent."""
    _, labels = digits()
    clusters = outcome.last.clusters
    (accuracy,) = accuracy_per_sub_head(clusters, labels[: len(clusters)], 10, 10)
    return float(accuracy)


def mixer() -> Callable[[int], Tensor]:
    """Random orders of so many things, by a generator of its own: the same in every run."""
    draw = torch.Generator().manual_seed(0)
    return lambda count: torch.randperm(count, generator=draw)
