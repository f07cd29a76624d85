"""What of a definition's text counts, and that every Python writes it the same."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iic.provenance.code.identity import Code
from iic.provenance.code.modules import parse
from tests.provenance.code_helpers import ROOT, identity, interpreters, write

SOURCES = sorted((ROOT / "iic").rglob("*.py"))

WRITTEN = """
def plain(text):
    return [text.parts, sorted(text.mentions), text.dynamic]

def written(code):
    lines = {}
    for name, piece in parse(code, "x", "iic").definitions.items():
        lines[name] = [plain(piece.text)]
        if hasattr(piece, "methods"):
            lines[name] += [plain(piece.annotations), plain(piece.constants), piece.bases,
                            {inner: plain(one.text) for inner, one in piece.methods.items()}]
    return lines
"""
HASHES = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from iic.provenance.code.identity import Code
from iic.provenance.code.modules import parse
{WRITTEN}
code = Code(Path(sys.argv[2]))
texts = [written(Path(path).read_text("utf-8")) for path in sys.argv[3:]]
roots = ["iic.delicate." + name for name in ("x", "y", "z", "f", "C", "T")]
print(json.dumps([code.identity([root]).value for root in roots] + texts))
"""

# what interpreters are known to print, to split or to nest differently
DELICATE = '''
"""Docstring."""
from __future__ import annotations
import os.path as p
x = f"a{1!r:>{2}}b" "c" f"{x=}" f"" 'd'
y = f"{'nested' + f'{z}'}" "\\u0870\\ud800"
z = (1e400, -0.0, 1j, True, 1, None, ..., b"\\x00", "1", u"1", 10**20)
T = [x for x in T for z in x if (w := z)]
class C(dict):
    a: int = 1
    @property
    def b(self) -> int: return [self.a for _ in p.sep]
    async def c(self): return {k: v async for k, v in self if await k}
def f(a, /, b, *c, d=1, **e) -> int:
    """Docstring."""
    match a:
        case {"x": 1, **rest}: return {**rest}
        case C(a=3) as g: return g
    try: ...
    except* ValueError: pass
    async def g(): return [i async for i in x if i]
    return lambda *, k=1: (yield)
'''


def written(code: str) -> object:
    """Everything that the texts of a module say."""
    names: dict[str, Any] = {"parse": parse}
    exec(WRITTEN, names)
    return names["written"](code)


def test_the_same_hash_under_every_interpreter(tmp_path: Path) -> None:
    pythons = interpreters()
    if len(pythons) == 1:
        pytest.skip("only one Python from 3.11 on is installed")
    source = write(tmp_path, delicate=DELICATE)
    said = set()
    for python in pythons:
        command = [python, "-I", "-c", HASHES, str(ROOT), str(source), *map(str, SOURCES)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1
    assert len(json.loads(said.pop())) == len(SOURCES) + 6


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_comments_docstrings_annotations_and_layout_do_not_count(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            node.body.insert(0, ast.Expr(ast.Constant("another docstring")))
        if isinstance(node, ast.FunctionDef):
            node.returns = ast.Name("Other", ast.Load())
            for argument in node.args.args:
                argument.annotation = ast.Constant("Other")
    rewritten = "# a comment\n" + ast.unparse(ast.fix_missing_locations(tree))
    assert written(rewritten) == written(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = '1'", "x = b'1'"),
        ("x = 0.0", "x = -0.0"),
        ("def x(a, b): pass", "def x(b, a): pass"),
        ("def x(a, *, b): pass", "def x(a, b): pass"),
        ("def x(a=1): pass", "def x(a=2): pass"),
        ("def x(*, a=1): pass", "def x(*, a=None): pass"),
        ("def x(*a): pass", "def x(**a): pass"),
        ("def x(): pass", "async def x(): pass"),
        ("x = f(a)", "x = f(*a)"),
        ("x = a < b", "x = a <= b"),
        ("x = (a, b)", "x = [a, b]"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = f'{a:1}'"),
        ("x = f'a{b}'", "x = f'{b}a'"),
        ("x = a.b.c", "x = a.c.b"),
        ("x = a().b", "x = a().c"),
        ("def x():\n if a:\n  b()\n c()", "def x():\n if a:\n  b()\n  c()"),
        ("def x():\n if a:\n  b()\n else:\n  c()", "def x():\n if a:\n  c()\n else:\n  b()"),
        ("def x(): ...", "def x(): pass"),
        ("def x():\n global y\n y = 1", "def x():\n y = 1"),
        ("@a\ndef x(): pass", "def x(): pass"),
        ("class x:\n a: int", "class x:\n b: int"),
        ("class x:\n a: ClassVar[int] = 1", "class x:\n a: int = 1"),
        ("class x(y): pass", "class x(z): pass"),
        ("class x(y, k=1): pass", "class x(y, k=2): pass"),
        ("class x:\n def __init__(self): a", "class x:\n def __init__(self): b"),
        ("import m\nx = m.a", "import n\nx = n.a"),
        ("from m import a as k\nx = k", "from m import b as k\nx = k"),
        ("x, y = 1, 2", "y, x = 1, 2"),
        ("x = 1", "x = 1\nx = 2"),
        ("x = {}", "x = {}\nx['a'] = 1"),
        ("x = {}", "x = {}\nx.update(a=1)"),
        ("x = 1", "if y:\n x = 1\nelse:\n x = 2"),
        ("x = 1", "x = 1\nx += 1"),
        ("x = {}", "x = {}\nif a:\n y = 1\n x['a'] = 1"),
        ("y = (x := 1)", "y = (x := 2)"),
        ("y = [x := i for i in (1,)]", "y = [x := i for i in (2,)]"),
        ("x = 1", "x = 1\nif __name__ != '__main__':\n x = 2"),
        ("x = 1", "x = 1\nif __name__ == '__main__':\n pass\nelse:\n x = 2"),
        (
            "@a\ndef x(): return 1\n@x.register\ndef y(): return 1",
            "@a\ndef x(): return 1\n@x.register\ndef y(): return 2",
        ),
        ("class x:\n def y(self): return 1\n z = y", "class x:\n def y(self): return 2\n z = y"),
        (
            "class x:\n def y(self): return 1\n z = [y]",
            "class x:\n def y(self): return 2\n z = [y]",
        ),
        ("class x:\n a: 'ClassVar[int]' = 1", "class x:\n a: 'int' = 1"),
        (
            "from enum import Enum\nclass x(Enum):\n def _missing_(cls, v): return 1",
            "from enum import Enum\nclass x(Enum):\n def _missing_(cls, v): return 2",
        ),
        ("def x():\n class y(M):\n  a: int", "def x():\n class y(M):\n  a: float"),
        (
            "from pydantic import RootModel\nclass x(RootModel):\n root: int",
            "from pydantic import RootModel\nclass x(RootModel):\n root: float",
        ),
        ("x = 1", "x = 1\nprint(2)"),
        ("x, y = f()", "y, x = f()"),
        ("try:\n import m as x\nexcept E:\n x = 1", "try:\n import n as x\nexcept E:\n x = 1"),
    ],
)
def test_every_change_of_code_counts(tmp_path: Path, before: str, after: str) -> None:
    one, other = (write(tmp_path / name, a=text) for name, text in (("1", before), ("2", after)))
    assert identity(one, "iic.a.x").value != identity(other, "iic.a.x").value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x: int = 1", "x: float = 1"),
        ("x = 1", "x = 1\ny = 2"),
        ("def x(a: int) -> int: pass", "def x(a): pass"),
        ("def x():\n y: int = 1", "def x():\n y: float = 1"),
        ("import m.n\nx = m.n.f", "from m import n\nx = n.f"),
        ("import m.n\nx = m.n.f", "from m.n import f as g\nx = g"),
        ("import m.n as k\nx = k.f()", "def x_():\n pass\nfrom m.n import f\nx = f()"),
        ("from m import f\ndef x(): f()", "def x():\n from m import f as g\n g()"),
        ("def x(): y()\ndef y(): pass", "def x(): z()\ndef z(): pass"),
        ("x = 1", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import m\nx = 1"),
        ("x = 1", "x = 1\nif __name__ == '__main__':\n print(2)"),
        ("x = 1", "y = {}\ny['a'] = 1\nx = 1"),
        ("def x():\n y: int = 1\n return y", "def x():\n y = 1\n return y"),
        ("x, y = f()", "x, z = f()"),
        ("x = y = f()", "x = z = f()"),
    ],
)
def test_what_changes_nothing(tmp_path: Path, before: str, after: str) -> None:
    one, other = (write(tmp_path / name, a=text) for name, text in (("1", before), ("2", after)))
    assert identity(one, "iic.a.x").value == identity(other, "iic.a.x").value


VALUES = st.recursive(
    st.one_of(
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=4),
        st.binary(max_size=4),
        st.booleans(),
        st.none(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner)),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES)
def test_texts_are_equal_where_the_code_is(one: object, other: object) -> None:
    assert written(f"x = {one!r}") == written(f"x = ({one!r})  # spaced")
    assert (written(f"x = {one!r}") == written(f"x = {other!r}")) == (repr(one) == repr(other))


def test_reading_the_whole_package_is_quick_enough_to_plan_with() -> None:
    code = Code(ROOT)
    assert code.module("iic.engine.loop") is code.module("iic.engine.loop")
    assert code.module("iic.nope") is None
