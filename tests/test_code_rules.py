"""What code identity cannot see is not to be written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from iic.provenance.code.modules import EFFECTS, parse
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "iic").rglob("*.py"))
REGISTERING = {"iic/cli/app.py"}
"""Modules that do more at import than define names: the command line, in no fingerprint."""
BY_NAME = {
    "iic/cli/served.py": "what jobs import themselves, only earlier",
    "iic/cli/training.py": "a run's method, which is a root",
    "iic/cli/tabulate.py": "a listing's module, which is a root",
    "iic/cli/workflow.py": "looks whether Snakemake is there",
    "iic/provenance/audit/contexts.py": "a run's method, which is a root",
    "iic/provenance/remote.py": "looks whether DVC is there",
    "iic/data/prepare.py": "a dataset's reader, which is a root",
    "iic/data/prepare_maps.py": "a dataset's reader, which is a root",
    "iic/data/download.py": "a stand-in's generator: raw files are known by their checksums",
    "iic/networks/operations.py": "networks whose operations are counted, which no result has",
    "iic/params/method.py": "settings, which count by value",
    "iic/params/modules.py": "only looks whether a module is there",
    "iic/publish/tables.py": "a listing's module, which is a root",
    "iic/publish/figures/saving.py": "a figure's module, which is a root",
}
"""Modules that import others by a name in a string, and why that is no gap."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_defines_names_and_does_nothing_else(path: Path) -> None:
    effects = EFFECTS in parse(path.read_text(encoding="utf-8"), "iic").definitions
    assert effects == (name(path) in REGISTERING)


def test_modules_named_in_strings_are_roots() -> None:
    found = {
        name(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        if getattr(node, "attr", getattr(node, "id", "")) in ("import_module", "__import__")
        or (isinstance(node, ast.Attribute) and node.attr == "find_spec")
    }
    assert found == set(BY_NAME)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_module_is_altered_from_outside_and_no_name_is_made(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if isinstance(node, ast.Import) or (node.module or "").split(".")[0] == "iic"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value
            assert not (isinstance(owner, ast.Name) and owner.id in imported), ast.unparse(node)
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", "")
            assert called not in ("globals", "exec", "eval", "vars", "locals", "type") or (
                called == "type" and len(node.args) == 1
            ), ast.unparse(node)


HIDING = frozenset(
    {
        "__dict__",
        "__subclasses__",
        "__init_subclass__",
        "__getattribute__",
        "validate_call",
    }
)
"""Names by which code runs that nothing names, or by which annotations count."""
ALTERING = frozenset({
    "update", "setdefault", "append", "extend", "insert", "pop", "popitem", "clear", "add",
    "remove", "discard", "sort", "reverse", "register",
})  # fmt: skip
DECORATORS = frozenset({"dataclass", "contextmanager", "cache", "lru_cache"})
"""What may stand before a definition of a module: a decorator may keep it elsewhere as well."""


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_definition_is_reached_but_by_its_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        named = {getattr(node, key, None) for key in ("attr", "id", "name")}
        assert not named & HIDING, ast.unparse(node)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            called = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
            assert not {getattr(one, "attr", "") for one in called} & ALTERING, ast.unparse(node)
        for one in getattr(node, "decorator_list", ()):
            before = one.func if isinstance(one, ast.Call) else one
            known = getattr(before, "attr", getattr(before, "id", "")) in DECORATORS
            assert known or name(path).startswith("iic/cli/"), ast.unparse(one)
