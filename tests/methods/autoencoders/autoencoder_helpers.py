"""The four autoencoders on scikit-learn's digits, 8 x 8 pixels."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths

SPECIAL: dict[str, dict[str, Any]] = {
    "ae": {},
    "sparse_ae": {},
    "denoising_ae": {},
    "vae": {"likelihood": "bernoulli"},
}
"""What each has beyond the settings that all four share, by the name of its run and module."""
NAMES = list(SPECIAL)
SHARED: dict[str, Any] = {
    "autoencoder": {
        "family": "dense", "input_size": 8, "in_channels": 1, "widths": [64, 64, 128], "code": 10,
    },
    "k": 10,
    "batch_images": 64,
    "clusters": {"restarts": 5, "watch_restarts": 2},
    "schedule": {"epochs": 3, "evaluation_batch": 500},
}  # fmt: skip
CONVOLUTIONAL: dict[str, Any] = {
    "autoencoder": {"family": "convolutional", "widths": [8, 16]}, "batch_images": 50,
}  # fmt: skip


MODULES = {"ae": "plain", "sparse_ae": "sparse", "denoising_ae": "denoising", "vae": "variational"}
"""Run -> module of its method."""


def module(name: str) -> ModuleType:
    """The method's module."""
    return importlib.import_module(f"iic.methods.autoencoders.{MODULES[name]}")


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 images as uint8 (N, 1, 8, 8), and their classes."""
    data = load_digits()
    images = np.rint(data.images / 16 * 255).astype(np.uint8)[:, None]
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
    pictures, labels = (one[:number] for one in digits())
    if images is not None:
        pictures = images
    settings = merged(SHARED | SPECIAL[name], changes)
    return RunContext(
        data=in_memory(pictures, labels if labelled else None, 10, splits),
        classes=10,
        settings=validate(module(name).Settings, settings, "tests", "settings"),
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
