"""A module as a set of definitions, each with its text and what it refers to.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from iic.provenance.code import scopes
from iic.provenance.code.scopes import Target
from iic.provenance.code.syntax import Reference, Text, Writer
from iic.provenance.code.trees import running, unquoted

EFFECTS = "<import>"
"""Stands for the statements that run when a module is imported and that define nothing."""

# decorators that leave open when a method is called; any other may call it by itself
PLAIN = frozenset({
    "property", "cached_property", "staticmethod", "classmethod", "abstractmethod", "override",
    "setter", "getter", "deleter", "overload",
})  # fmt: skip
VALIDATING = frozenset({
    "field_validator", "model_validator", "field_serializer", "model_serializer",
})  # fmt: skip
"""Decorators of what only decides which value an object has."""
CONFIG = "model_config"
"""Tells pydantic which values an object may have."""
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
        self.special = name.startswith("_") and name.endswith("_")
        """Whether Python itself calls it, as ``__init__``, and ``_missing_`` of an enumeration."""
        decorators = {decorator for node in nodes for decorator in _decorators(node)}
        self.decorated = not PLAIN.issuperset(decorators)
        """Whether a decorator may call it, as pydantic's do with validators."""
        self.validates = not VALIDATING.isdisjoint(decorators)


class Class(Piece):
    """A class at the top of a module; `text` is of its head and its body without the methods.

    Args:
        node: The class.
        package: The package that it lies in.
        altering: Statements of the module that alter it, such as ``C.model_rebuild()``.
    """

    def __init__(self, node: ast.ClassDef, package: str, altering: Sequence[ast.AST] = ()) -> None:
        self._package = package
        self._node = node
        self._altering = [*altering]
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
        return self._altered(Text(("class ",)).then(head).then(self._inside.text(self._rest)))

    @cached_property
    def annotations(self) -> Text:
        """Types of the attributes, from which pydantic builds objects."""
        declared = [node.annotation for node in self._rest if isinstance(node, ast.AnnAssign)]
        return self._inside.text([unquoted(annotation) for annotation in declared])

    @cached_property
    def constants(self) -> Text:
        """What the body says besides methods and attributes that an object is given."""
        return self._altered(self._inside.text([node for node in self._rest if not _given(node)]))

    def _altered(self, text: Text) -> Text:
        more = self._altering
        return text.then(Writer(self._package).text(more)) if more else text

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
        bound = set(scopes.of_statements(_plain(tree.body), package).names)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or error
        raise CodeError(f"{name}{f':{line}' if line else ''}: no valid Python: {message}") from None
    except (RecursionError, MemoryError):
        raise CodeError(f"{name}: is nested too deeply") from None
    imported: dict[str, Target] = {}
    stars: list[str] = []
    statements: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt] = []
    for node in _importing(tree.body):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for own, target in scopes.imports(node, package):
                if own == "*":
                    stars.append(target.module)
                else:
                    imported[own] = target
                    if own in bound:
                        statements.setdefault(own, []).append(node)
        else:
            names = _defined(node, bound, package)
            for own in names:
                statements.setdefault(own, []).append(node)
            if not names:
                effects.append(node)
    definitions = {own: _definition(own, nodes, package) for own, nodes in statements.items()}
    if effects:
        definitions[EFFECTS] = Piece([*effects], Writer(package))
    return Module(definitions, imported, tuple(stars))


def _plain(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """Statements that are no imports and do something."""
    passing = (ast.Import, ast.ImportFrom, ast.Pass)
    return [node for node in body if not isinstance(node, passing)]


def _importing(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs when a module is imported; ``if __name__ == "__main__":`` runs in no job."""
    for node in running(body):
        assert isinstance(node, ast.stmt)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            yield from _importing(node.orelse)
        else:
            yield node


def _defined(node: ast.stmt, bound: set[str], package: str) -> list[str]:
    """Names that a statement at the top defines or alters; none where it does something else.

    ``TABLE[0] = 1`` and ``TABLE.update(...)`` alter a name as well, if the module has bound it, and
    so does ``@function.register`` before a definition.
    """
    if isinstance(node, (*FUNCTION, ast.ClassDef)):
        registers = [call for call in map(_called, node.decorator_list) if not _is_name(call)]
        return [node.name, *(name for name in map(_root, registers) if name and name in bound)]
    if isinstance(node, ast.If | ast.Try):
        body = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
        body += [child for handler in getattr(node, "handlers", []) for child in handler.body]
        parts = [_defined(statement, bound, package) for statement in _plain(body)]
        own = scopes.of_statements([node], package).names
        return list(dict.fromkeys([*own, *chain.from_iterable(parts)])) if all(parts) else []
    altered: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        altered = [element for target in node.targets for element in _elements(target)]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        altered = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        altered = [node.value.func] if isinstance(node.value.func, ast.Attribute) else []
    if not altered:
        return []
    names = [_root(target) for target in altered]
    here = [name for name in names if name in bound and name is not None]
    # names behind `:=`
    inner = [name for name in scopes.of_statements([node], package).names if name not in here]
    return [*here, *inner] if len(here) == len(names) else []


def _elements(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _elements(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def _root(node: ast.AST) -> str | None:
    """``a`` of ``a.b[0]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _definition(name: str, nodes: list[ast.stmt], package: str) -> Piece:
    """What a name of a module is, from all statements that bind or alter it."""
    node, writer = nodes[0], Writer(package)
    again = scopes.of_statements(nodes[1:], package).names
    if isinstance(node, ast.ClassDef) and name not in again:
        return Class(node, package, nodes[1:])
    if len(nodes) > 1:
        return Piece([*nodes], writer)
    if isinstance(node, FUNCTION):
        return Piece(node, writer)
    if isinstance(node, ast.AnnAssign):
        return Piece(node.value, writer)
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return Piece(node.value, writer)
    # one of several names of a statement: which of them counts, whatever they are called
    names = list(scopes.of_statements([node], package).names)
    return Piece(node, writer, f"{names.index(name)} of " if name in names else f"{name} of ")


def _given(node: ast.AST) -> bool:
    """Whether it says nothing of an object but a value of its own, which is hashed elsewhere."""
    if isinstance(node, ast.Assign) and [*map(ast.unparse, node.targets)] == [CONFIG]:
        return True
    return (
        isinstance(node, ast.AnnAssign)
        and "ClassVar" not in ast.unparse(node.annotation)
        # pydantic keeps these out of an object's value
        and not ast.unparse(node.target).startswith("_")
        and not (node.value and "exclude=" in ast.unparse(node.value))
    )


def _base(node: ast.expr, package: str) -> Reference | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    parts = Writer(package).text(node).parts
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Reference) else None


def _decorators(node: ast.AST) -> Iterator[str]:
    assert isinstance(node, FUNCTION)
    for decorator in map(_called, node.decorator_list):
        yield getattr(decorator, "attr", getattr(decorator, "id", ""))
