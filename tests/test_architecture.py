"""ARCHITECTURE.md is today's, and the places that it sends a reader to exist."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def generator() -> ModuleType:
    path = ROOT / "docs/architecture_map.py"
    spec = importlib.util.spec_from_file_location("architecture_map", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_map_is_todays(generator: ModuleType) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert text == generator.page(), f"run {generator.COMMAND}"


def test_the_map_has_every_room_and_family(generator: ModuleType) -> None:
    text = generator.page()
    rooms = [path.parent for path in (ROOT / "iic").rglob("__init__.py") if path.parent.name]
    for room in rooms:
        name = room.relative_to(ROOT).as_posix()
        assert name == "iic" or f"({name})" in text or f"`{name}`" in text, name
    assert len(generator.CHANGES) == 10


def test_rooms_import_what_they_may(generator: ModuleType) -> None:
    levels = generator.floors()
    for number, rooms in enumerate(levels):
        below = {room for level in levels[number + 1 :] for room in level}
        for room in rooms:
            assert set(generator.neighbours(ROOT / "iic" / room, 1)) <= below
    assert generator.neighbours(ROOT / "iic/methods/dec", 2) == ["autoencoders"]
    assert generator.neighbours(ROOT / "iic/methods/kmeans.py", 2) == []


def test_a_path_that_is_gone_is_named(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "CHANGES", (("a loss", "`iic/methods/triplets/lost.py`"),))
    with pytest.raises(FileNotFoundError, match=r"iic/methods/triplets/lost\.py"):
        generator.page()
