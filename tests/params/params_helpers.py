"""A copy of ``params/`` to make mistakes in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from iic.params.errors import SettingsError
from iic.params.runs import Plan, load_plan

ROOT = Path(__file__).resolve().parents[2]
PARAMS = ROOT / "params"
FILES = sorted(str(path.relative_to(PARAMS)) for path in PARAMS.rglob("*.yaml"))
TABLE, MINI, SMOKE = "experiments/table_1.yaml", "scales/mini.yaml", "scales/smoke.yaml"
ROWS = yaml.safe_load((PARAMS / TABLE).read_text(encoding="utf-8"))["rows"]

Place = tuple[str | int, ...]
ABSENT = object()
"""In place of a value: the key is removed."""


def copy_of(folder: Path) -> Path:
    """``params/`` in a folder of the test's own."""
    return Path(shutil.copytree(PARAMS, folder / "params"))


@cache
def content(file: str) -> Any:
    """The file as plain YAML has it; not to be changed."""
    return parsed(PARAMS / file)


def parsed(path: Path) -> Any:
    """The file's content, each anchor and alias a value of its own."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))


def row_of(run: str) -> int:
    """Position in table 1 of the row that defines a run."""
    return next(
        index
        for index, row in enumerate(ROWS)
        if row.get("run") == run and ("method" in row or "like" in row)
    )


def changed(value: Any, place: Place, new: Any) -> Any:
    """A copy of nested `value` with another value at `place`."""
    if not place:
        return new
    result = deepcopy(value)
    inner = result
    for part in place[:-1]:
        inner = inner[part]
    if new is ABSENT:
        del inner[place[-1]]
    else:
        inner[place[-1]] = new
    return result


def renamed(value: Any, place: Place, key: str) -> Any:
    """A copy of nested `value` with the key at `place` called `key`, where it stood."""
    inner = value
    for part in place[:-1]:
        inner = inner[part]
    mapping = {key if name == place[-1] else name: one for name, one in inner.items()}
    return changed(value, place[:-1], mapping)


def only_mnist(params: Path, name: str, *tables: str, **more: Any) -> None:
    """A scale of the paper's own MNIST that shows these tables, and nothing else."""
    scale = {
        "name": name, "description": "For a test.", "machine": "none", "real": True,
        "datasets": {"mnist": "mnist"}, "tables": list(tables), "figures": [],
        "seeds": {"default": [0]}, **more,
    }  # fmt: skip
    write(params, f"scales/{name}.yaml", scale)


def write(params: Path, file: str, value: Any) -> None:
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    (params / file).write_text(text, encoding="utf-8")


def change(params: Path, file: str, place: Place, new: Any) -> None:
    """Write the file with one thing changed."""
    write(params, file, changed(parsed(params / file), place, new))


def scale_of(file: str) -> str:
    """A scale for which the file is read."""
    return Path(file).stem if file.startswith("scales/") else "mini"


def planned(params: Path, scale: str = "mini") -> Plan:
    """The plan as these files say it now."""
    return load_plan.__wrapped__(scale, params)


def error_of(params: Path, scale: str = "mini") -> SettingsError:
    """The one error that planning ends with."""
    with pytest.raises(SettingsError) as caught:
        planned(params, scale)
    return caught.value


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of every value inside a nested value, itself included."""
    yield place
    parts: Any = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        yield from places(part, (*place, name))


def some(all_of_them: list[Place], most: int) -> list[Place]:
    """At most so many, evenly chosen."""
    return all_of_them[:: 1 + len(all_of_them) // most]


def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse each text once, however often it is read: only one file differs between trials."""
    parse = yaml.load
    kept: dict[str, Any] = {}

    def load(text: str, Loader: Any) -> Any:
        if text not in kept:
            kept[text] = parse(text, Loader=Loader)
        return kept[text]

    monkeypatch.setattr(yaml, "load", load)
