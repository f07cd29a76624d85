"""DEC on scikit-learn's digits, with a narrow network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.methods.dec.method import Settings, train
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths
from tests.methods.autoencoders.autoencoder_helpers import SHARED, digits

SETTINGS: dict[str, Any] = merged(
    SHARED,
    {
        "autoencoder": {"widths": [32, 16]},
        "clusters": {"restarts": 3},
        "pretraining": {
            "layer_epochs": 2, "finetuning_epochs": 2, "decay_epochs": 1,
            # so few steps would not lead away from weights as small as the source's
            "initial_deviation": None,
        },
        "schedule": {"epochs": 3},
        "tolerance": 0.0,
    },
)  # fmt: skip
"""Phases: three layers of 2 epochs, 2 of finetuning, 3 of clustering; 5 steps an epoch."""


def context(
    folder: Path,
    seed: int = 0,
    labelled: bool = True,
    number: int = 300,
    splits: dict[str, int] | None = None,
    images: np.ndarray | None = None,
    **changes: Any,
) -> RunContext[Settings]:
    """A run on the first digits, as the command line would hand it to the method."""
    pictures, labels = (one[:number] for one in digits())
    if images is not None:
        pictures = images
    return RunContext(
        data=in_memory(pictures, labels if labelled else None, 10, splits),
        classes=10,
        settings=validate(Settings, merged(SETTINGS, changes), "tests", "settings"),
        seed=seed,
        paths=RunPaths("test", "digits/dec", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def run(folder: Path, **arguments: Any) -> Outcome:
    """Train it; arguments as for `context`."""
    return train(context(folder, **arguments))
