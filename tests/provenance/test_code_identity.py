"""Which definitions a job reaches, and that the hash of them knows no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from iic.provenance.code.identity import Code
from iic.provenance.code.modules import CodeError
from tests.provenance.code_helpers import identity, write

CHAIN = {
    "a": "from iic.room import b\nfrom iic.c import helper as own\n"
         "def f(x):\n    return b.g(x) + own(1)\n",
    "room__b": "def g(x):\n    from iic.c import LIMIT\n    return x + LIMIT\n",
    "c": "LIMIT = 3\nUNUSED = 4\ndef helper(x):\n    return x\ndef other():\n    return UNUSED\n",
}  # fmt: skip


def value(source: Path, *roots: str) -> str | None:
    return identity(source, *roots).value


def edit(source: Path, module: str, old: str, new: str) -> None:
    path = source / "iic" / f"{module.replace('__', '/')}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_code_that_cannot_be_read_is_said_of_each_job(tmp_path: Path) -> None:
    source = write(
        tmp_path, **CHAIN, other="from iic.room import b\ndef h(x):\n    return b.g(x)\n"
    )
    edit(source, "c", "LIMIT = 3", "LIMIT = ")
    code = Code(source)
    for root in ("iic.a.f", "iic.other.h", "iic.a.f"):
        with pytest.raises(CodeError, match="no valid Python"):
            code.identity([root])


def test_what_is_reached_is_named(tmp_path: Path) -> None:
    reached = identity(write(tmp_path, **CHAIN))
    assert set(reached.definitions) == {"iic.a.f", "iic.room.b.g", "iic.c.LIMIT", "iic.c.helper"}


def test_a_constant_three_calls_away_changes_what_reaches_it_alone(tmp_path: Path) -> None:
    source = write(tmp_path, **CHAIN)
    reaching, apart = value(source, "iic.a.f"), value(source, "iic.c.other")
    before = identity(source)
    edit(source, "c", "LIMIT = 3", "LIMIT = 5")
    after = identity(source)
    assert after.value != reaching and value(source, "iic.c.other") == apart
    changed = {name for name in after.definitions
               if after.definitions[name] != before.definitions[name]}  # fmt: skip
    assert changed == {"iic.c.LIMIT"}
    edit(source, "c", "UNUSED = 4", "UNUSED = 5")
    assert value(source, "iic.c.other") != apart and identity(source) == after


def test_a_move_and_a_new_name_of_a_file_change_nothing(tmp_path: Path) -> None:
    before = value(write(tmp_path / "1", **CHAIN))
    moved = {
        "a": "from iic import elsewhere\nfrom iic.deep.er import helper\n"
             "def f(x):\n    return elsewhere.g(x) + helper(1)\n",
        "elsewhere": "from iic.deep.er import LIMIT as MOST\ndef g(x):\n    return x + MOST\n",
        "deep__er": CHAIN["c"],
    }  # fmt: skip
    assert value(write(tmp_path / "2", **moved)) == before


def test_a_re_export_and_a_whole_package_are_seen_through(tmp_path: Path) -> None:
    plain = write(tmp_path / "1", a="from iic.b import g\ndef f(): return g()",
                  b="def g(): return 1")  # fmt: skip
    source = write(tmp_path / "2", a="import iic.room\ndef f(): return iic.room.g()",
                   room__b="def g(): return 1")  # fmt: skip
    (source / "iic/room/__init__.py").write_text("from .b import g\n")
    assert value(source) == value(plain)
    starred = write(tmp_path / "3", a="from iic.b import *\ndef f(): return g()",
                    b="def g(): return 1")  # fmt: skip
    assert value(starred) == value(plain)


def test_a_reference_to_another_definition_of_the_same_name_counts(tmp_path: Path) -> None:
    text = "from iic.b import loss\nfrom iic.c import loss as other\ndef f(): return {}, {}"
    sources = [
        write(tmp_path / str(number), a=text.format(*names), b="def loss(): return 1",
              c="def loss(): return 2")
        for number, names in enumerate([("loss", "other"), ("other", "loss")])
    ]  # fmt: skip
    assert value(sources[0]) != value(sources[1])


def test_a_local_of_the_same_name_shadows_a_definition(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="from iic.b import g, h, i, j, k, m\n"
        "def f(g, *h):\n"
        "    i = 1\n"
        "    for j in g: pass\n"
        "    with g as k: pass\n"
        "    return [m for m in (lambda g: g)(h)], i, j, k\n",
        b="g = h = i = j = k = m = 1",
    )
    assert set(identity(source).definitions) == {"iic.a.f"}
    # outside the scope of the local, the definition counts
    for body in ("[g for g in g]", "{g: 1 for h in g}", "(lambda g: 1)(g)", "[x for x in () if g]"):
        path = write(tmp_path / "other", a=f"from iic.b import g\ndef f(): return {body}", b="g=1")
        assert "iic.b.g" in identity(path).definitions, body


def test_scopes_of_classes_are_not_those_of_their_methods(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="from iic.b import g, h\nclass f:\n    g = 1\n    h = h\n"
        "    def __call__(self): return g\n",
        b="g = 1\nh = 2",
    )
    assert {"iic.b.g", "iic.b.h"} <= set(identity(source).definitions)


def test_circles_of_definitions_and_imports(tmp_path: Path) -> None:
    text = {
        "a": "def f(n):\n    from iic.b import g\n    return n and g(n - 1)\n",
        "b": "from iic.a import f\nLEAST = 1\ndef g(n):\n    return n > LEAST and f(n) and g(n)\n",
    }
    source = write(tmp_path / "1", **text)
    before = value(source)
    assert value(write(tmp_path / "2", a=text["a"].replace("iic.b", "iic.c"),
                       c=text["b"])) == before  # fmt: skip
    edit(source, "b", "LEAST = 1", "LEAST = 2")
    assert value(source) not in (None, before)
    # two that are equal but for what they call
    pair = "def f(n): return g(n)\ndef g(n): return {0}(n)\ndef h(n): return g(n) + 1\n"
    first, other = (write(tmp_path / name, a=pair.format(name)) for name in ("f", "h"))
    assert value(first) != value(other)


def test_import_that_leads_in_a_circle_and_defines_nothing(tmp_path: Path) -> None:
    source = write(tmp_path, a="from iic.b import x\ndef f(): return x", b="from iic.a import x")
    assert value(source)


def test_lambdas_decorators_and_attributes_that_are_computed(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="from iic.b import wrap, made, inner\n"
        "KEY = lambda x: inner(x)\n"
        "class C:\n    width = made(3)\n"
        "@wrap\ndef f(): return KEY, C\n",
        b="def wrap(f): return f\ndef made(n): return n\ndef inner(x): return SCALE * x\nSCALE=2",
    )
    definitions = set(identity(source).definitions)
    assert {"iic.b.wrap", "iic.b.made", "iic.b.inner", "iic.b.SCALE", "iic.a.KEY"} <= definitions


def test_a_package_can_be_a_method(tmp_path: Path) -> None:
    source = write(tmp_path, method__parts="def train(): return 1")
    (source / "iic/method/__init__.py").write_text("from iic.method.parts import train\n")
    plain = write(tmp_path / "plain", method="def train(): return 1")
    assert value(source, "iic.method.train") == value(plain, "iic.method.train")


METHODS = (
    "from pydantic import BaseModel, field_validator\n"
    "class C(BaseModel):\n"
    "    n: int = 1\n"
    "    @property\n    def twice(self): return 2 * self.n\n"
    "    def cost(self): return helper()\n"
    "    @field_validator('n')\n    @classmethod\n    def check(cls, n): return n\n"
    "    def __len__(self): return 3\n"
    "def helper(): return 1\n"
)


def test_methods_count_where_they_are_named(tmp_path: Path) -> None:
    source = write(tmp_path, b=METHODS, a="from iic.b import C\ndef f(): return C().twice")
    definitions = set(identity(source).definitions)
    assert {"iic.b.C", "iic.b.C.twice", "iic.b.C.check", "iic.b.C.__len__"} <= definitions
    assert not {"iic.b.C.cost", "iic.b.helper"} & definitions
    named = ("x.cost()", "getattr(x, 'cost')", "hasattr(x, 'cost')", "attrgetter('cost')(x)",
             "getattr(x, x.n)")  # fmt: skip
    for use in named:
        path = write(tmp_path / "used", b=METHODS, a=f"from iic.b import C\ndef f(x): {use}; C")
        assert "iic.b.helper" in identity(path).definitions, use


def test_all_methods_of_a_class_count_that_another_package_may_call(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        a="import torch\nfrom iic.b import Base\nclass N(Base):\n"
        "    def forward(self): return 1\ndef f(): return N()",
        b="import torch\nclass Base(torch.nn.Module):\n    def extra(self): return 2\n",
    )
    assert {"iic.a.N.forward", "iic.b.Base.extra"} <= set(identity(source).definitions)


def test_of_what_is_given_the_methods_count_that_are_named(tmp_path: Path) -> None:
    text = METHODS + "class Outer(BaseModel):\n    inner: 'C | None' = None\n    K: ClassVar = 1\n"
    source = write(tmp_path, b=text, a="def f(settings): return settings.inner.twice")

    def given() -> str | None:
        return identity(source, given=("iic.b.Outer",)).value

    before = given()
    assert "iic.b.C.twice" in identity(source, given=("iic.b.Outer",)).definitions
    for old, new in (("n: int = 1", "n: int = 2"), ("return n\n", "return n + 1\n"),
                     ("return 1\n", "return 2\n")):  # fmt: skip
        edit(source, "b", old, new)
        assert given() == before, "values count as values"
    edit(source, "b", "return 2 * self.n", "return 3 * self.n")
    assert given() != before
    before = given()
    edit(source, "b", "K: ClassVar = 1", "K: ClassVar = 2")
    assert given() != before


@pytest.mark.parametrize(
    "body",
    [
        "@cache\n    def rate(self): return {}",
        "@contextmanager\n    def rate(self): yield {}",
        "@computed_field\n    @property\n    def rate(self): return {}",
        "_rate: float = PrivateAttr({})",
        "rate: float = Field({}, exclude=True)",
        "def model_post_init(self, context): self._rate = {}",
    ],
)
def test_of_what_is_given_all_counts_that_is_no_value(tmp_path: Path, body: str) -> None:
    text = f"from pydantic import BaseModel\nclass C(BaseModel):\n    {body}\n"
    uses = "def f(settings): return settings.rate"
    first, other = (
        identity(write(tmp_path / number, a=uses, b=text.format(number)), given=("iic.b.C",))
        for number in ("1", "2")
    )
    assert first.value != other.value


def test_given_classes_cannot_swap_their_methods_or_the_order_of_their_bases(
    tmp_path: Path,
) -> None:
    text = (
        "class A:\n    def rate(self): return 1\nclass B:\n    def rate(self): return 2\n"
        "class C(A, B):\n    a: A\n    b: B\n"
    )
    uses = "def f(settings): return settings.rate, settings.a.rate"
    variants = [
        text,
        text.replace("return 1", "return 3").replace("return 2", "return 1").replace("3", "2"),
        text.replace("C(A, B)", "C(B, A)"),
        text.replace("B)", "B, Generic[T])"),
    ]
    values = [
        identity(write(tmp_path / str(number), a=uses, b=variant), given=("iic.b.C",)).value
        for number, variant in enumerate(variants)
    ]
    assert len(set(values[:3])) == 3 and values[3] == values[0]


def test_the_configuration_of_what_is_given_does_not_count(tmp_path: Path) -> None:
    text = (
        "from pydantic import BaseModel\nclass C(BaseModel):\n    model_config = {}\n    n: int\n"
    )
    given, used = (
        [
            identity(write(tmp_path / (key + uses), a=uses, b=text.replace("{}", key)), **options)
            for key in ("dict(frozen=True)", "dict(extra='allow')")
        ]
        for uses, options in (
            ("def f(c): return c.n", {"given": ("iic.b.C",)}),
            ("from iic.b import C\ndef f(c): return C(n=c)", {}),
        )
    )
    assert given[0].value == given[1].value and used[0].value != used[1].value


def test_classes_of_one_text_are_told_apart_by_name(tmp_path: Path) -> None:
    text = "class A(Exception): pass\nclass B(Exception): pass\n"
    uses = (
        "from iic.b import A, B\ndef f():\n    try: g()\n    except {}: return 1\ndef g(): raise A"
    )
    values = [
        value(write(tmp_path / name, a=uses.replace("{}", name), b=text)) for name in ("A", "B")
    ]
    assert values[0] != values[1]


def test_fields_of_a_record_count_also_where_its_base_does_not(tmp_path: Path) -> None:
    base = "from pydantic import BaseModel\nclass Base(BaseModel): pass\n"
    uses = "from iic.c import Base\nclass Row(Base):\n    n: {}\ndef f(n): return Row(n=n).n"
    values = [
        identity(
            write(tmp_path / kind, a=uses.replace("{}", kind), c=base), uncounted=("iic.c",)
        ).value
        for kind in ("int", "float")
    ]
    assert values[0] != values[1]


def test_a_class_that_its_module_alters_later_stays_a_class(tmp_path: Path) -> None:
    source = write(tmp_path, b=METHODS + "C.model_rebuild()\n", a="def f(s): return s.twice")
    definitions = identity(source, given=("iic.b.C",)).definitions
    assert "iic.b.C.twice" in definitions and "iic.b.C.cost" not in definitions
    before = value(source, "iic.b.C")
    edit(source, "b", "n: int", "n: float")
    assert value(source, "iic.b.C") != before


def test_names_under_global_and_in_class_bodies_are_followed(tmp_path: Path) -> None:
    for text in (
        "def f():\n    global g\n    from iic.b import g\n    return g()",
        "class f:\n    from iic.b import g\n",
        "from iic.b import g\ndef f():\n    try: g()\n    except E: g()",
        "from iic.b import g as _\ndef f():\n    try: _()\n    except E: _()",
        "import iic.c\ndef f(): return iic.c.g()",
        "from iic.d import *\ndef f(): return g()",
        "import iic.folder.e\ndef f(): return iic.folder.e.g()",
        "def f(x):\n    from iic.b import C\n    return getattr(C, x)",
        "def g(): return 2\nfrom iic.b import g\ndef f(): return g()",
    ):
        b = "def g(): return 1\nclass C:\n    def m(self): return g()\n"
        star, again = "from iic.b import *", "from iic.c import *"
        source = write(tmp_path, a=text, b=b, c=star, d=again, folder__e="from iic.b import g")
        (source / "iic/folder/__init__.py").unlink()
        assert "iic.b.g" in identity(source).definitions, text


def test_the_last_star_counts(tmp_path: Path) -> None:
    text = "from iic.b import *\nfrom iic.c import *\ndef f(): return g"
    source = write(tmp_path, a=text, b="g = 1", c="g = 2")
    assert set(identity(source).definitions) == {"iic.a.f", "iic.c.g"}


def test_what_runs_at_import_belongs_to_every_definition_of_its_module(tmp_path: Path) -> None:
    source = write(tmp_path, a="from iic.b import g\ndef f(): return g",
                   b="import torch\ng = 1\ntorch.set_num_threads(1)\n")  # fmt: skip
    before = value(source)
    edit(source, "b", "threads(1)", "threads(2)")
    assert value(source) != before


def test_uncounted_code_is_not_followed(tmp_path: Path) -> None:
    source = write(tmp_path, **CHAIN)
    reached = identity(source, uncounted=("iic.room.b",))
    assert set(reached.definitions) == {"iic.a.f", "iic.c.helper"}
    assert set(identity(source, uncounted=("iic.c.helper",)).definitions) == {
        "iic.a.f", "iic.room.b.g", "iic.c.LIMIT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def :", r"b\.py:1: no valid Python"),
        ("def g(): pass\n\n  x = 1", r"b\.py:3: no valid Python"),
        ("h = 1", r"iic\.a: imports 'g' from iic\.b, which has no such"),
        ("g = a" + ".b()" * 900, r"iic.b(\.g|\.py:) is nested too deeply"),
        ("g = " + "+".join("1" * 9000), r"b\.py: is nested too deeply"),
    ],
)
def test_broken_code_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    source = write(tmp_path, a="from iic.b import g\ndef f(): return g()", b=text)
    with pytest.raises(CodeError, match=message):
        identity(source)
    with pytest.raises(CodeError, match=r"there is no 'iic\.nope\.f'"):
        identity(source, "iic.nope.f")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    source = write(tmp_path, a="\ufeffdef f(): return 1")
    assert value(source) == value(write(tmp_path / "plain", a="def f(): return 1"))


def test_roots_that_do_not_exist_are_named(tmp_path: Path) -> None:
    source = write(tmp_path, a="def f(): pass")
    with pytest.raises(CodeError, match=r"module iic\.a defines no 'train'"):
        identity(source, "iic.a.train")
