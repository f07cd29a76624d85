"""What the jobs of the finished tree ran, as definitions."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

from iic.provenance.code.roots import BOOKKEEPING
from tests.conftest import EXECUTED


def definitions(tree: Path) -> dict[str, set[str]]:
    """Job -> qualified names of the definitions that it ran, bookkeeping left out."""
    recorded = json.loads((tree / EXECUTED).read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for job, functions in recorded.items():
        names = {_definition(tree, *function) for function in functions}
        found[job] = {
            f"{module}.{name}"
            for module, name in names
            if name is not None and module not in BOOKKEEPING
        }
    return found


def modules(tree: Path) -> dict[str, set[str]]:
    """Job -> modules of which it ran a function, bookkeeping included."""
    recorded = json.loads((tree / EXECUTED).read_text(encoding="utf-8"))
    return {job: {module for module, _, _ in functions} for job, functions in recorded.items()}


def _definition(tree: Path, module: str, qualified: str, line: int) -> tuple[str, str | None]:
    """The definition that a function belongs to; None for what runs when a module is imported."""
    module = module.removesuffix(".__init__")
    spans, classes = _spans(tree, module)
    head = qualified.split(".<locals>")[0].split(".")
    if len(head) > 1 and head[0] in classes:
        return module, head[0] if head[1].startswith("<") else ".".join(head[:2])
    if not head[0].startswith("<"):
        return module, None if head[0] in classes else head[0]
    # a lambda, or a comprehension on 3.11: the statement that it stands in
    names = [name for name, (first, last) in spans.items() if first <= line <= last]
    return module, names[0] if names and qualified != "<module>" else None


@cache
def _spans(tree: Path, module: str) -> tuple[dict[str, tuple[int, int]], frozenset[str]]:
    base = tree.joinpath(*module.split("."))
    file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    spans: dict[str, tuple[int, int]] = {}
    classes = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            classes.add(node.name)
        names = [
            one.id
            for one in ast.walk(node)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        ]
        if isinstance(node, ast.Assign | ast.AnnAssign):
            spans |= {name: (node.lineno, last) for name in names}
    return spans, frozenset(classes)
