"""Crates to look at, and the tools of others that read and validate them, without a network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

LAPTOP = Path("results/laptop")
TABLE = LAPTOP / "tables/table_1.csv"

TOOLS = ROOT / ".venv/rocrate/bin"
needs_tools = pytest.mark.skipif(
    not (TOOLS / "rocrate-validator").exists(),
    reason="no runcrate and roc-validator here: `make test` installs them into .venv/rocrate",
)

Entity = dict[str, Any]


def validate(crate: Path, level: str = "required") -> subprocess.CompletedProcess[str]:
    """Run the validator as `make crate` does."""
    return subprocess.run(
        [TOOLS / "python", ROOT / "docs/validate_crate.py", crate, "--requirement-severity", level],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def report(crate: Path) -> str:
    """What ``runcrate report`` reads in a crate."""
    done = subprocess.run(
        [TOOLS / "runcrate", "report", crate], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def entities(crate: Path) -> dict[str, Entity]:
    """The entities of a crate by their identifiers."""
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an identifier stands twice"
    return found


def named(value: Any) -> list[str]:
    """The identifiers in a property's value."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [one["@id"] for one in values]


def of_type(graph: dict[str, Entity], kind: str) -> Iterable[Entity]:
    """Entities of a type."""
    for one in graph.values():
        kinds = one["@type"] if isinstance(one["@type"], list) else [one["@type"]]
        if kind in kinds:
            yield one


def files_in(folder: Path) -> set[str]:
    """Every file below `folder`, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
