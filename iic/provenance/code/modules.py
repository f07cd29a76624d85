"""A module as a set of definitions, each with its text and what it refers to.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from iic.provenance.code import scopes
from iic.provenance.code.scopes import Target
from iic.provenance.code.syntax import Reference, Text, Writer, running

EFFECTS = "<import>"
"""Stands for the statements that run when a module is imported and that define nothing."""

# decorators that leave open when a method is called; any other may call it by itself
PLAIN = frozenset({
    "property", "cached_property", "staticmethod", "classmethod", "abstractmethod", "override",
    "setter", "getter", "deleter", "overload",
})  # fmt: skip
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class CodeError(Exception):
    """A module or a name that a job needs does not exist, or is no valid Python."""


@dataclass(frozen=True)
class Member:
    """A method of a class, or several of one name, as a property and its setter are."""

    text: Text
    special: bool
    """Whether its name is one that Python itself calls, such as ``__init__``."""
    decorated: bool
    """Whether a decorator may call it, as pydantic's do with validators."""


@dataclass(frozen=True)
class Definition:
    """A function, a class or a constant at the top of a module."""

    text: Text
    """Of a class, what its body says besides its methods."""
    bases: tuple[Reference, ...] | None = None
    """Of a class only."""
    plain_bases: bool = True
    """Whether `bases` names all of them: none is computed."""
    members: dict[str, Member] = field(default_factory=dict)
    annotations: Text | None = None
    """Types of a class's attributes, from which pydantic builds objects."""
    constants: Text | None = None
    """What a class's body says besides methods and attributes that an object is given."""


@dataclass(frozen=True)
class Module:
    """What a file defines and imports."""

    definitions: dict[str, Definition]
    imports: dict[str, Target]
    stars: tuple[str, ...]
    """Modules of which it imports all names."""


def parse(text: str, name: str, package: str) -> Module:
    """Read a module.

    Args:
        text: Its source.
        name: File, for messages.
        package: The package that it lies in; for a package's own file, that package.

    Raises:
        CodeError: It is no valid Python.
    """
    try:
        tree = ast.parse(text, filename=name)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or error
        raise CodeError(f"{name}{f':{line}' if line else ''}: no valid Python: {message}") from None
    imported: dict[str, Target] = {}
    stars: list[str] = []
    statements: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt] = []
    bound = set(scopes.of_statements(_plain(tree.body), package).names)
    for node in running(tree.body):
        assert isinstance(node, ast.stmt)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for own, target in scopes.imports(node, package):
                if own == "*":
                    stars.append(target.module)
                else:
                    imported[own] = target
        elif not _main(node):
            names = _defined(node, bound, package)
            for own in names:
                statements.setdefault(own, []).append(node)
            if not names:
                effects.append(node)
    definitions = {own: _definition(own, nodes, package) for own, nodes in statements.items()}
    if effects:
        definitions[EFFECTS] = Definition(Writer(package).text(effects))
    return Module(definitions, imported, tuple(stars))


def find(module: str, source: Path) -> Path | None:
    """The file of `module` below `source`; None where there is none."""
    base = source.joinpath(*module.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _plain(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """Statements that are no imports and do something."""
    passing = (ast.Import, ast.ImportFrom, ast.Pass)
    return [node for node in body if not isinstance(node, passing)]


def _main(node: ast.stmt) -> bool:
    """``if __name__ == "__main__":`` runs in no job."""
    return isinstance(node, ast.If) and "'__main__'" in ast.unparse(node.test)


def _defined(node: ast.stmt, bound: set[str], package: str) -> list[str]:
    """Names that a statement at the top defines or alters; none where it does something else.

    ``TABLE[0] = 1`` and ``TABLE.update(...)`` alter a name as well, if the module has bound it.
    """
    if isinstance(node, (*FUNCTION, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.If | ast.Try):
        inner = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
        inner += [one for handler in getattr(node, "handlers", []) for one in handler.body]
        if all(_defined(one, bound, package) for one in _plain(inner)):
            return list(scopes.of_statements([node], package).names)
        return []
    altered: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        altered = [one for target in node.targets for one in _elements(target)]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        altered = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        altered = [node.value.func] if isinstance(node.value.func, ast.Attribute) else []
    names = [_root(one) for one in altered]
    known = [name for name in names if name in bound and name is not None]
    return known if len(known) == len(names) else []


def _elements(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _elements(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _root(node: ast.AST) -> str | None:
    """``a`` of ``a.b[0]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _definition(name: str, nodes: list[ast.stmt], package: str) -> Definition:
    """What a name of a module is, from all statements that bind or alter it."""
    node = nodes[0]
    if len(nodes) == 1 and isinstance(node, ast.ClassDef):
        return _class(node, package)
    writer = Writer(package)
    if len(nodes) > 1 or isinstance(node, FUNCTION):
        return Definition(writer.text(nodes if len(nodes) > 1 else node))
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        if isinstance(node.targets[0], ast.Name):
            return Definition(writer.text(node.value))
    if isinstance(node, ast.AnnAssign):
        return Definition(writer.text(node.value))
    # one of several names of a statement: which of them counts
    text = writer.text(node)
    return Definition(text._replace(parts=(f"{name} of ", *text.parts)))


def _class(node: ast.ClassDef, package: str) -> Definition:
    scope = scopes.of_class(node, package)
    outside, inside = Writer(package), Writer(package, [scope])
    methods: dict[str, list[ast.stmt]] = {}
    rest: list[ast.stmt] = []
    for one in node.body:
        if isinstance(one, FUNCTION):
            methods.setdefault(one.name, []).append(one)
        else:
            rest.append(one)
    head = outside.text([*node.decorator_list, *node.bases, *node.keywords])
    body = inside.text(rest)
    text = Text(
        ("class ", *head.parts, *body.parts),
        head.mentions | body.mentions,
        head.dynamic or body.dynamic,
    )
    bases = [_base(one, package) for one in node.bases]
    annotations = [one.annotation for one in rest if isinstance(one, ast.AnnAssign)]
    return Definition(
        text,
        bases=tuple(base for base in bases if base is not None),
        plain_bases=None not in bases,
        members={
            name: Member(
                inside.text(parts),
                name.startswith("__") and name.endswith("__"),
                any(_decorated(one) for one in parts),
            )
            for name, parts in methods.items()
        },
        annotations=inside.text([_unquoted(one) for one in annotations]),
        constants=inside.text([one for one in rest if not _given(one)]),
    )


def _given(node: ast.stmt) -> bool:
    """Whether it declares an attribute that each object has a value of its own for."""
    return isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)


def _base(node: ast.expr, package: str) -> Reference | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    parts = Writer(package).text(node).parts
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def _decorated(node: ast.stmt) -> bool:
    assert isinstance(node, FUNCTION)
    names = (getattr(one, "attr", getattr(one, "id", "")) for one in node.decorator_list)
    return not PLAIN.issuperset(names)


def _unquoted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node
