from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iic.provenance.closure import UnknownModule, closure, code_hash, named_files
from iic.records.files import sha256_bytes

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "iic").rglob("*.py"))

HASHES = """
import importlib.util, json, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("closure", sys.argv[1])
closure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(closure)
print(json.dumps([closure.code_hash(Path(p).read_text("utf-8")) for p in sys.argv[2:]]))
"""

# what interpreters are known to print or to split differently
DELICATE = '''
"""Docstring."""
x = f"a{1!r:>{2}}b" "c" f"{x=}" f"" 'd'
y = f"{'nested' + f'{z}'}" "\\u0870\\ud800"
z = (1e400, -0.0, 1j, True, 1, None, ..., b"\\x00", "1", u"1", 10**20)
def f(a, /, b, *c, d=1, **e) -> int:
    """Docstring."""
    match a:
        case {"x": 1, **rest}: return {**rest}
    try: ...
    except* ValueError: pass
    async def g(): return [i async for i in x if i]
    return lambda *, k=1: (yield)
'''


def interpreters() -> list[str]:
    found = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14)]
    found += [str(one) for one in Path.home().glob(".pyenv/versions/3.1[1-4].*/bin/python")]
    working = [sys.executable]
    for python in dict.fromkeys(one for one in found if one):
        version = "import sys; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([python, "-c", version], capture_output=True).returncode == 0:
            working.append(python)
    return working


def write(source: Path, **modules: str) -> Path:
    for name, text in modules.items():
        path = source / "iic" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    (source / "iic" / "__init__.py").touch()
    return source


def test_the_same_hash_under_every_interpreter(tmp_path: Path) -> None:
    pythons = interpreters()
    if len(pythons) == 1:
        pytest.skip("only one Python from 3.11 on is installed")
    delicate = tmp_path / "delicate.py"
    delicate.write_text(DELICATE)
    files = [ROOT / "iic/provenance/closure.py", *SOURCES, delicate]
    said = set()
    for python in pythons:
        done = subprocess.run(
            [python, "-I", "-c", HASHES, *map(str, files)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1
    hashes = json.loads(said.pop())
    assert all(hashes[-1:])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_comments_docstrings_and_layout_do_not_count(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            node.body.insert(0, ast.Expr(ast.Constant("another docstring")))
    rewritten = "# a comment\n" + ast.unparse(ast.fix_missing_locations(tree))
    assert code_hash(rewritten) == code_hash(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = '1'", "x = b'1'"),
        ("x = 0.0", "x = -0.0"),
        ("def f(a, b): pass", "def f(b, a): pass"),
        ("def f(a, *, b): pass", "def f(a, b): pass"),
        ("f(a)", "f(*a)"),
        ("x = a < b", "x = a <= b"),
        ("x = (a, b)", "x = [a, b]"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = f'{a:1}'"),
        ("x = f'a{b}'", "x = f'{b}a'"),
        ("if a:\n  b()\nc()", "if a:\n  b()\n  c()"),
        ("if a:\n  b()\nelse:\n  c()", "if a:\n  c()\nelse:\n  b()"),
        ("def f(): ...", "def f(): pass"),
        ("x: int = 1", "x: float = 1"),
        ("@a\ndef f(): pass", "def f(): pass"),
    ],
)
def test_every_change_of_code_counts(before: str, after: str) -> None:
    assert code_hash(before) != code_hash(after)


VALUES = st.recursive(
    st.one_of(
        st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.binary(max_size=4),
        st.booleans(), st.none(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner)),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES)
def test_hashes_are_equal_where_the_code_is(one: object, other: object) -> None:
    assert code_hash(f"x = {one!r}") == code_hash(f"x = ({one!r})  # spaced")
    same = code_hash(f"x = {one!r}") == code_hash(f"x = {other!r}")
    assert same == (repr(one) == repr(other))


def test_a_module_of_docstrings_has_no_code() -> None:
    assert code_hash('"""Only words."""\n# and a comment\n') is None
    assert code_hash('"""Words."""\nif TYPE_CHECKING:\n    import torch\n') is None


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="import iic.b\nfrom iic import c\nfrom iic.room import d, name\n"
        "def f():\n try:\n  from iic.e import x\n except ValueError:\n  import iic.f\n"
        " with x:\n  import iic.g as g\n match x:\n  case 1:\n   import iic.h\n",
        b="x = 1", c="from . import i", room__d="from ..j import x", room__name="x = 1",
        e="x = 1", f="x = 1", g="x = 1", h="x = 1", i="import os.path, iic.a", j="x = 1",
        unused="x = 1",
    )  # fmt: skip
    found = closure("iic.a", left_out=(), source=source)
    letters = {f"iic.{name}" for name in "abcefghij"}
    assert set(found) == letters | {"iic.room.d", "iic.room.name"}


def test_type_checking_blocks_and_rooms_left_out_are_not_followed(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="import typing\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import iic.b\n"
        "else:\n    import iic.c\nif typing.TYPE_CHECKING:\n    import iic.b\n"
        "import iic.params.x, iic.paramsother",
        b="x = 1", c="x = 1", params__x="import iic.b", paramsother="x = 1",
    )  # fmt: skip
    assert set(closure("iic.a", source=source)) == {"iic.a", "iic.c", "iic.paramsother"}


def test_a_package_with_code_counts(tmp_path: Path) -> None:
    source = write(tmp_path, room__a="x = 1")
    (tmp_path / "iic/room/__init__.py").write_text("import iic.b")
    write(tmp_path, b="x = 1")
    assert set(closure("iic.room.a", source=source)) == {"iic.room", "iic.room.a", "iic.b"}


def test_unknown_and_broken_modules_are_named(tmp_path: Path) -> None:
    source = write(tmp_path, a="def :")
    with pytest.raises(UnknownModule, match=r"iic\.nope"):
        closure("iic.nope", source=source)
    with pytest.raises(UnknownModule, match=r"a\.py: no valid Python"):
        closure("iic.a", source=source)


def test_modules_named_in_strings(tmp_path: Path) -> None:
    source = write(tmp_path, a='M = "iic.room.b"\nN = "iic.room.nope"', room__b="x = 1")
    assert named_files("iic.a", source) == {"iic/room/b.py": sha256_bytes(b"x = 1")}


def test_the_engine_is_in_the_closure_of_the_method_and_the_plots_are_not() -> None:
    found = set(closure("iic.methods.iic"))
    assert {"iic.engine.loop", "iic.objective.clustering", "iic.networks.vgg"} <= found
    rooms = {module.split(".")[1] for module in found}
    assert not rooms & {"publish", "cli", "provenance", "params"}
