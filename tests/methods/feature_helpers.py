"""Methods whose features k-means clusters on scikit-learn's digits, 8 x 8 pixels."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from tests.methods.autoencoders.autoencoder_helpers import digits
from tests.methods.digits_runs import DigitsRuns

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


RUNS = DigitsRuns({name: SHARED | own for name, own in SPECIAL.items()}, module, digits)
context, train = RUNS.context, RUNS.train
