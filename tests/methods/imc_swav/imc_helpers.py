"""IMC-SwAV on a few small colour images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iic.data.in_memory import in_memory
from iic.engine.context import RunContext
from iic.methods.imc_swav.method import Settings
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.paths import RunPaths

SIDE, CLASSES = 12, 4
SETTINGS: dict[str, Any] = {
    "encoder": {"input_size": SIDE, "channels": [4, 8], "blocks": [1, 1]},
    "crops": {
        "large": {"count": 2, "size": 10, "area": [0.3, 1.0]},
        "small": {"count": 4, "size": 6, "area": [0.1, 0.4]},
    },
    "k": CLASSES,
    "batch_images": 20,
    "projection": 8,
    "prototypes": 16,
    "hidden": 16,
    "frozen_prototypes": 3,
    "schedule": {
        "epochs": 2,
        "evaluation_batch": 30,
        "learning_rate": {"warm_up_steps": 0, "milestones": []},
    },
}


def images(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Stripes of four kinds, uint8 (n, 3, SIDE, SIDE), and their kinds (n,)."""
    random = np.random.default_rng(5)
    labels = random.integers(0, CLASSES, number)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    patterns = np.stack([(rows % 4 < 2), (columns % 4 < 2), ((rows + columns) % 6 < 3), rows < 0])
    values = patterns[labels][:, None] * 120 + random.integers(0, 100, (number, 3, SIDE, SIDE))
    return values.astype(np.uint8), labels.astype(np.int64)


def context(
    folder: Path,
    *,
    seed: int = 0,
    number: int = 90,
    labelled: bool = True,
    parts: dict[str, int] | None = None,
    name: str = "imc_swav",
    **changes: Any,
) -> RunContext[Any]:
    """A run on the first images, as the command line would hand it to the method."""
    pixels, labels = images(number)
    return RunContext(
        data=in_memory(pixels, labels if labelled else None, CLASSES, parts),
        classes=CLASSES,
        settings=validate(Settings, merged(SETTINGS, changes), "tests", "settings"),
        seed=seed,
        paths=RunPaths("test", f"stripes/{name}", seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )
