"""Runs of methods on scikit-learn's digits, as the command line would hand them to the methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from iic.data.in_memory import in_memory
from iic.engine.context import Outcome, RunContext
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths


@dataclass(frozen=True)
class DigitsRuns:
    """Runs with small settings.

    Args:
        settings: Of each run, by its name.
        module: A run's name -> module of its method.
        digits: Images as uint8 (N, 1, s, s), and their classes (N,).
    """

    settings: dict[str, dict[str, Any]]
    module: Callable[[str], ModuleType]
    digits: Callable[[], tuple[np.ndarray, np.ndarray]]

    def context(
        self,
        folder: Path,
        name: str,
        seed: int = 0,
        labelled: bool = True,
        number: int = 300,
        splits: dict[str, int] | None = None,
        images: np.ndarray | None = None,
        **changes: Any,
    ) -> RunContext[Any]:
        """A run of `name` on the first digits, or on other `images` with their labels."""
        pictures, labels = (values[:number] for values in self.digits())
        settings = merged(self.settings[name], changes)
        return RunContext(
            data=in_memory(
                pictures if images is None else images, labels if labelled else None, 10, splits
            ),
            classes=10,
            settings=validate(self.module(name).Settings, settings, "tests", "settings"),
            seed=seed,
            paths=RunPaths("test", f"digits/{name}", seed),
            fingerprint="f" * 64,
            root=folder,
            live=False,
        )

    def train(self, folder: Path, name: str, **arguments: Any) -> Outcome:
        """Train it; arguments as for `context`."""
        outcome = self.module(name).train(self.context(folder, name, **arguments))
        assert isinstance(outcome, Outcome)
        return outcome
