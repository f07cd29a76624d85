"""The code that a result depends on: the import closure of a module, and a hash of each member.

Found in the source text, without importing anything: planning the workflow asks for the code of
about 160 jobs, and torch alone takes seconds to import. Only modules of this package count; what
comes from outside is recorded by version in the receipts.

The hash is of the syntax tree without comments and docstrings, walked by our own code, since
``ast.dump`` prints the same tree differently under Python 3.11, 3.12 and 3.13. For the same
reason this module imports the standard library only: a test runs it under each of them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "iic"
SOURCE = Path(__file__).resolve().parents[2]
"""Folder that holds the package: the root of the clone where it is installed as editable."""

# What settings do to a result is in their resolved values, which are hashed as values. Were their
# code hashed too, a new dataset or a new kind of table would retrain every network.
LEFT_OUT = ("iic.params",)


class UnknownModule(Exception):
    """The package has no such module, or its text is no Python."""


def closure(
    *modules: str, left_out: tuple[str, ...] = LEFT_OUT, source: Path | None = None
) -> dict[str, str]:
    """Modules that run when `modules` are used, each with the hash of its code.

    Imports inside functions count, since they run in the job; imports under ``TYPE_CHECKING`` do
    not. Modules without code (a docstring alone) are not listed.

    Args:
        modules: Dotted paths inside the package, where the search begins.
        left_out: Rooms that are neither listed nor searched.
        source: Folder that holds the package; `SOURCE` by default.

    Returns:
        Module -> SHA-256, sorted by module.

    Raises:
        UnknownModule: One of `modules` does not exist, or a file is no valid Python.
    """
    source = source or SOURCE
    for module in modules:
        if _file(module, source) is None:
            raise UnknownModule(f"there is no module {module!r} under {source}")
    seen = {
        name
        for module in modules
        for name in _with_packages(module)
        if _file(name, source) is not None
    }
    pending = list(seen)
    found: dict[str, str] = {}
    while pending:
        module = pending.pop()
        code, imports = _module(module, source)
        if code is not None:
            found[module] = code
        for name in imports:
            if name not in seen and not _inside(name, left_out):
                seen.add(name)
                pending.append(name)
    return dict(sorted(found.items()))


def named_files(module: str, source: Path | None = None) -> dict[str, str]:
    """Files that `module` names in a string, with their SHA-256: modules and files of params/.

    A figure that prints a listing reads the text of a module without importing it, comments
    included; a figure that shows published numbers reads their file.

    Returns:
        Path relative to `source` -> SHA-256 of the bytes.
    """
    source = source or SOURCE
    path = _file(module, source)
    if path is None:
        raise UnknownModule(f"there is no module {module!r} under {source}")
    tree = _parse(path.read_text(encoding="utf-8"), str(path))
    words = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {word for word in words if word.startswith(f"{PACKAGE}.") and word.count(".") > 1}
    found = [_file(word, source) for word in sorted(named)]
    found += [source / word for word in sorted(words) if word.startswith("params/")]
    return {
        file.relative_to(source).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in found
        if file is not None and file.is_file()
    }


def code_hash(text: str, name: str = "<text>") -> str | None:
    """SHA-256 of the code in `text`; None where there is none.

    Comments, docstrings and other constant statements, layout and ``TYPE_CHECKING`` blocks do not
    count, as they cannot change what runs.

    Raises:
        UnknownModule: The text is no valid Python.
    """
    return _hash(_parse(text, name))


def forget() -> None:
    """Read all files anew from now on; for tests that edit code within one process."""
    _module.cache_clear()
    _file.cache_clear()


def _inside(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@cache
def _file(module: str, source: Path) -> Path | None:
    base = source.joinpath(*module.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def _module(module: str, source: Path) -> tuple[str | None, tuple[str, ...]]:
    """Hash of a module's code, and the modules of this package that it imports."""
    path = _file(module, source)
    assert path is not None
    tree = _parse(path.read_text(encoding="utf-8"), str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {
        known
        for wanted in _imported(tree, package)
        for known in _with_packages(wanted)
        if known.split(".")[0] == PACKAGE and _file(known, source) is not None
    }
    return _hash(tree), tuple(sorted(names))


def _parse(text: str, name: str) -> ast.Module:
    try:
        return ast.parse(text, filename=name)
    except (SyntaxError, ValueError) as error:
        raise UnknownModule(f"{name}: no valid Python: {error}") from error


def _with_packages(module: str) -> Iterator[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``: importing a module runs its packages first."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Candidate modules; ``from a import b`` may mean the module ``a.b`` or a name inside ``a``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    elif _for_types_only(node):
        assert isinstance(node, ast.If)
        for statement in node.orelse:
            yield from _imported(statement, package)
    elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):
        # an import is a statement, so expressions need no search
        for child in ast.iter_child_nodes(node):
            yield from _imported(child, package)


def _for_types_only(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def _hash(tree: ast.Module) -> str | None:
    statements = list(_running(list(tree.body)))
    if not statements:
        return None
    parts: list[str] = []
    _write(statements, parts)
    return hashlib.sha256("".join(parts).encode("ascii")).hexdigest()


def _write(value: object, parts: list[str]) -> None:
    """Append an unambiguous text of a part of the tree.

    Fields are written by name and empty ones left out, so that a field which a later Python adds
    (``type_params`` in 3.12) changes nothing while it is not used.
    """
    if isinstance(value, ast.Constant):
        # what repr escapes depends on the Unicode version of the interpreter; ascii does not
        parts.append(f"{type(value.value).__name__}:{value.value!a};")
    elif isinstance(value, ast.JoinedStr):
        parts.append("JoinedStr(")
        _write(_merged(value.values), parts)
        parts.append(")")
    elif isinstance(value, ast.AST):
        parts.append(type(value).__name__)
        parts.append("(")
        for field in value._fields:
            content = getattr(value, field, None)
            if content is None or content == [] or field in ("ctx", "type_comment"):
                continue
            parts.append(f"{field}=")
            _write(content, parts)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for item in _running(value):
            _write(item, parts)
        parts.append("]")
    else:
        parts.append(f"{value!a};")


def _running(items: list[object]) -> Iterator[object]:
    """The statements that do something; lists of other things as they are."""
    for item in items:
        if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
            if item.value.value is not ...:
                continue
        elif isinstance(item, ast.If) and _for_types_only(item):
            yield from _running(list(item.orelse))
            continue
        yield item


def _merged(values: list[ast.expr]) -> list[ast.expr]:
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
