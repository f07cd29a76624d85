"""Runs of classifiers on scikit-learn's digits in colour, with splits and folds as STL-10's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.params.loading import validate
from iic.records.paths import RunPaths
from tests.methods.autoencoders.autoencoder_helpers import digits

SPLITS = {"train": 200, "unlabeled": 400, "test": 400}
FOLDS = (tuple(range(0, 100)), tuple(range(100, 200)))
CLASSES: dict[str, Any] = {"matching": "identity", "mapping": ["test"], "test": ["test"]}
TEST = slice(600, 1000)


@cache
def pictures() -> np.ndarray:
    """uint8 (1000, 3, 16, 16): each digit twice as large, in a shade of its own."""
    images = digits()[0][:1000].repeat(2, axis=2).repeat(2, axis=3)
    shades = np.random.default_rng(0).uniform(0.7, 1, (1000, 3, 1, 1))
    return (images * shades).astype(np.uint8)


def labels() -> np.ndarray:
    """Of these digits; those of split unlabeled are unknown."""
    classes = digits()[1][:1000].copy()
    classes[SPLITS["train"] : TEST.start] = -1
    return classes


def run(
    folder: Path,
    module: ModuleType,
    name: str,
    settings: dict[str, Any],
    *,
    classes: np.ndarray | None = None,
    labelled: bool = True,
    seed: int = 0,
) -> RunContext[Any]:
    """A run called `name`, as the command line would hand it to `module`."""
    known = labels() if classes is None else classes
    return RunContext(
        data=in_memory(pictures(), known if labelled else None, 10, SPLITS, FOLDS),
        classes=10,
        settings=validate(module.Settings, settings, "tests", "settings"),
        seed=seed,
        paths=RunPaths("test", f"digits/{name}", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def stored(context: RunContext[Any], module: ModuleType) -> Outcome:
    """Train a run, its weights left where another looks for them."""
    outcome: Outcome = module.train(context)
    path = context.root / context.paths.weights
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(outcome.tensors or {}), path)
    return outcome


def score(outcome: Outcome) -> float:
    """Accuracy on the test images without any matching, in percent."""
    return float((outcome.last.clusters[:, 0] == labels()[TEST]).mean() * 100)
