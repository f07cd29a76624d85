"""A module as a set of definitions, each with its text and what it refers to.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
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


class Piece:
    """Code that stands in one place; its text is written when somebody asks for it.

    Args:
        nodes: A node of the syntax tree, or several.
        writer: Knows the scopes around it.
        heading: Stands before the text.
    """

    def __init__(
        self, nodes: ast.AST | list[ast.AST] | None, writer: Writer, heading: str = ""
    ) -> None:
        self._nodes = nodes
        self._writer = writer
        self._heading = heading

    @cached_property
    def text(self) -> Text:
        """The code as text and references."""
        text = self._writer.text(self._nodes)
        self._nodes = None  # a syntax tree is large
        return text._replace(parts=(self._heading, *text.parts)) if self._heading else text


class Method(Piece):
    """A method of a class, or several of one name, as a property and its setter are."""

    def __init__(self, name: str, nodes: list[ast.AST], writer: Writer) -> None:
        super().__init__(nodes, writer)
        self.special = name.startswith("__") and name.endswith("__")
        """Whether its name is one that Python itself calls, such as ``__init__``."""
        self.decorated = any(_decorated(node) for node in nodes)
        """Whether a decorator may call it, as pydantic's do with validators."""


class Class(Piece):
    """A class at the top of a module; `text` is of its head and its body without the methods."""

    def __init__(self, node: ast.ClassDef, package: str) -> None:
        self._package = package
        self._node = node
        self._inside = Writer(package, [scopes.of_class(node, package)])
        methods: dict[str, list[ast.AST]] = {}
        self._rest: list[ast.AST] = []
        for inner in node.body:
            if isinstance(inner, FUNCTION):
                methods.setdefault(inner.name, []).append(inner)
            else:
                self._rest.append(inner)
        self.methods = {name: Method(name, parts, self._inside) for name, parts in methods.items()}

    @cached_property
    def text(self) -> Text:
        """Decorators, bases, and the statements of the body."""
        node = self._node
        outside = Writer(self._package)
        head = outside.text([*node.decorator_list, *node.bases, *node.keywords])
        body = self._inside.text(self._rest)
        return Text(
            ("class ", *head.parts, *body.parts),
            head.mentions | body.mentions,
            head.dynamic or body.dynamic,
        )

    @cached_property
    def annotations(self) -> Text:
        """Types of the attributes, from which pydantic builds objects."""
        declared = [node.annotation for node in self._rest if isinstance(node, ast.AnnAssign)]
        return self._inside.text([_unquoted(one) for one in declared])

    @cached_property
    def constants(self) -> Text:
        """What the body says besides methods and attributes that an object is given."""
        return self._inside.text([node for node in self._rest if not _given(node)])

    @cached_property
    def bases(self) -> tuple[Reference | None, ...]:
        """What it inherits from; None for a base that is computed."""
        return tuple(_base(node, self._package) for node in self._node.bases)


@dataclass(frozen=True)
class Module:
    """What a file defines and imports."""

    definitions: dict[str, Piece]
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
        definitions[EFFECTS] = Piece([*effects], Writer(package))
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


def _definition(name: str, nodes: list[ast.stmt], package: str) -> Piece:
    """What a name of a module is, from all statements that bind or alter it."""
    node, writer = nodes[0], Writer(package)
    if len(nodes) > 1:
        return Piece([*nodes], writer)
    if isinstance(node, ast.ClassDef):
        return Class(node, package)
    if isinstance(node, FUNCTION):
        return Piece(node, writer)
    if isinstance(node, ast.AnnAssign):
        return Piece(node.value, writer)
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        if isinstance(node.targets[0], ast.Name):
            return Piece(node.value, writer)
    # one of several names of a statement: which of them counts
    return Piece(node, writer, f"{name} of ")


def _given(node: ast.AST) -> bool:
    """Whether it declares an attribute that each object has a value of its own for."""
    return isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)


def _base(node: ast.expr, package: str) -> Reference | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    parts = Writer(package).text(node).parts
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def _decorated(node: ast.AST) -> bool:
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
