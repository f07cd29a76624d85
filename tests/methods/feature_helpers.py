"""Methods whose features k-means clusters on scikit-learn's digits, 8 x 8 pixels."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths
from tests.methods.autoencoders.autoencoder_helpers import digits

TRUNK: dict[str, Any] = {
    "network": {"family": "B", "input_size": 8, "in_channels": 1, "channels": [8, 16]},
    "augmentation": {
        "kind": "grey", "crop": 8, "crops": [7, 8], "input_size": 8, "rotation_degrees": 10.0,
    },
}  # fmt: skip
SHARED: dict[str, Any] = {
    "k": 10,
    "batch_images": 60,
    "restarts": 4,
    "watch_restarts": 2,
    "schedule": {"epochs": 3, "evaluation_batch": 100},
}
SPECIAL: dict[str, dict[str, Any]] = {
    "triplets": TRUNK | {"outputs": 20, "optimiser": {"learning_rate": 1e-3}},
    "deepcluster": TRUNK | {"clusters": 30, "features": 32, "components": 16},
    "what_where": {
        "autoencoder": {
            "input_size": 8, "in_channels": 1,
            "stages": [{"channels": [16], "pool": 2}, {"channels": [32], "pool": 4}],
        },
    },
    "gan": {"networks": {"input_size": 8, "in_channels": 1, "widths": [16, 32]}},
}  # fmt: skip
NAMES = list(SPECIAL)


def module(name: str) -> ModuleType:
    """The method's module."""
    return importlib.import_module(f"iic.methods.{name}.method")


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
