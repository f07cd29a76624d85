"""What takes long to make is made once, by one of pytest's workers for all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock


def shared(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]
) -> tuple[Path, Any]:
    """A clone for all workers of this session. Nobody may change it.

    Args:
        factory: Of the worker that asks.
        name: What the clone is known by.
        make: Makes the clone at a path, and may return something that JSON can hold.

    Returns:
        The clone, and what `make` returned.
    """
    own = factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = common / f"shared_{name}"
    made = folder / "made.json"
    with FileLock(f"{folder}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            folder.mkdir()
            made.write_text(json.dumps(make(folder / "clone")))
        return folder / "clone", json.loads(made.read_text())
