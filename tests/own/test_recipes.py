"""docs/recipes.md: each block of code runs, and finds the groups that it says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
RECIPES = {
    section.split(":")[0]: code
    for section in PAGE.split("\n## ")[1:]
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
}


def test_each_recipe_is_read() -> None:
    assert list(RECIPES) == ["Text", "Sound", "Tables"] and PAGE.count("```python") == 3


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_finds_its_groups(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iic.own.estimator.usable_processors", lambda: 1)  # the same bits anywhere
    names: dict[str, Any] = {}
    exec(compile(RECIPES[title], f"docs/recipes.md: {title}", "exec"), names)
    assert names["score"] > 0.8
