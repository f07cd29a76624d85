"""Changes of code that alter no result, for tests of what notices them."""

from __future__ import annotations

import ast
from pathlib import Path


def change(path: Path, name: str, value: int = 1) -> None:
    """Let the function or method `name` of a module set a variable that nothing reads."""
    text = path.read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        inner = (one for one in getattr(node, "body", []) if getattr(one, "name", None) == part)
        node = next(inner)
    assert isinstance(node, ast.FunctionDef)
    last = node.body[-1]
    lines = text.splitlines(keepends=True)
    lines.insert(last.lineno - 1, f"{' ' * last.col_offset}unread = {value}\n")
    path.write_text("".join(lines), encoding="utf-8")
