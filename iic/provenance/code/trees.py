"""What of a syntax tree counts: statements that run, fields that say something.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

UNCOUNTED = ("ctx", "type_comment")
"""Fields that repeat what other fields say, or say nothing."""
_FIELDS: dict[type[ast.AST], tuple[tuple[str, str], ...]] = {}


def fields_of(kind: type[ast.AST]) -> tuple[tuple[str, str], ...]:
    """Fields of a kind of node, each with what stands before its content."""
    if kind not in _FIELDS:
        names = (name for name in kind._fields if name not in UNCOUNTED)
        _FIELDS[kind] = tuple((name, f"{name}=") for name in names)
    return _FIELDS[kind]


def running(items: Sequence[object]) -> Iterator[object]:
    """The statements that do something; lists of other things as they are."""
    for item in items:
        if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
            if item.value.value is not ...:
                continue
        elif isinstance(item, ast.If) and for_types_only(item):
            yield from running(item.orelse)
            continue
        yield item


def for_types_only(node: ast.AST) -> bool:
    """Whether it is an ``if TYPE_CHECKING:``, whose body never runs."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def unquoted(node: ast.expr) -> ast.expr:
    """An annotation, which may be written as a string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node


def merged(values: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string, neighbouring pieces of text joined and empty ones dropped.

    Where 3.11's tokenizer cuts the text of an f-string differs from 3.12's.
    """
    merged: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if not value.value:
                continue
            last = merged[-1] if merged else None
            if isinstance(last, ast.Constant):
                merged[-1] = ast.Constant(value=str(last.value) + value.value)
                continue
        merged.append(value)
    return merged
