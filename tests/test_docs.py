"""docs/fidelity.md cannot rot: each setting, run and file that it names exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from iic.params.datasets import load_catalogue
from iic.params.definitions import define, load_tables
from iic.params.experiments import RUN_OF_DATASET, Fidelity, Selection
from iic.params.modules import method_modules, method_name
from iic.params.runs import load_plan, scale_names
from iic.records.table import TableRow

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/fidelity.md"
METHODS = [method_name(module) for module in method_modules()]
FILE = r"[\w/]+/\w+\.\w+"
DOTTED = r"[a-z]\w*(\.\w+)+"


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation, such as those of ``A | B | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


def values(annotation: Any) -> Iterator[str]:
    """The words that an annotation allows, such as those of ``Literal["a", "b"]``."""
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from values(part)


def settings(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Dotted name of every setting at any depth, and the words that it may be set to."""
    for name, field in model.model_fields.items():
        yield f"{above}{name}", set(values(field.annotation))
        for inner in models(field.annotation):
            yield from settings(inner, f"{above}{name}.")


KNOWN = {
    name: words
    for method in method_modules()
    for name, words in settings(importlib.import_module(method).Settings)
}
RUNS = {
    *define(load_tables(ROOT / "params"), load_catalogue(), ROOT / "params"),
    *load_plan("mini").runs,
}
WORDS = {
    *(name for name in KNOWN if "." not in name),
    *(word for words in KNOWN.values() for word in words),
    *get_args(Fidelity),
    *get_args(Selection),
    *scale_names(),
    *load_plan("mini").figures,
    *METHODS,
    *TableRow.model_fields,
    "-corrected",
}


def unknown(text: str) -> list[str]:
    """What stands in backticks and names nothing that there is."""
    wrong = []
    for name in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(FILE, name):
            there = (ROOT / name).is_file()
        elif re.fullmatch(RUN_OF_DATASET, name):
            there = name in RUNS
        elif re.fullmatch(DOTTED, name):
            there = name in KNOWN
        else:
            there = name in WORDS
        if not there:
            wrong.append(name)
    return wrong


def test_everything_in_backticks_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert unknown(text) == []
    named = set(re.findall(rf"`({DOTTED})`", text))
    assert len(named) > 15, "the page names its settings"


@pytest.mark.parametrize(
    "name",
    ["pairs.ordre", "schedule.epoch", "head_c.passes", "overclustering", "stl10/iic-run571",
     "digits/iic-corected", "iic/evaluate/selections.py", "as-published"],
)  # fmt: skip
def test_the_check_would_notice(name: str) -> None:
    assert unknown(f"before `{name}` after `pairs.order`") == [name]


def test_every_difference_of_the_notes_is_there_once() -> None:
    text = PAGE.read_text(encoding="utf-8")
    clustering, segmentation = text.split("\n## Segmentation\n")
    headed = re.findall(r"^### D(\d+)", clustering, flags=re.MULTILINE)
    later = re.findall(r"\bD(\d+)\b", segmentation)
    assert set(map(int, headed + later)) == set(range(1, 16))
    assert len(headed) == len(set(headed))


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_between_the_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
