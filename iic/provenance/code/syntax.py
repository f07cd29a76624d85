"""A definition as text, the same for the same code: references stand in it as such.

The text is of the syntax tree without comments, docstrings, layout and annotations, walked by our
own code, since ``ast.dump`` prints the same tree differently under Python 3.11, 3.12 and 3.13.
Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from iic.provenance.code import scopes
from iic.provenance.code.scopes import COMPREHENSIONS, FUNCTIONS, Scope, Target
from iic.provenance.code.trees import fields_of, merged, running, unquoted

READING = frozenset({"getattr", "setattr", "hasattr", "delattr"})
NAMING = frozenset({"attrgetter", "methodcaller"})
"""Functions that take the name of an attribute as a string."""
KEPT_ANNOTATIONS = frozenset({"ClassVar", "InitVar", "KW_ONLY"})
"""What the annotation of an attribute says to ``dataclasses``."""


class Reference(NamedTuple):
    """A name that a definition takes from outside itself."""

    module: str | None
    """Module that it is imported from, in the definition itself; None for a name of its module."""
    name: str | None
    attributes: tuple[str, ...] = ()
    """What is read off it: ``a.b.c`` has ``("b", "c")``."""


Part = str | Reference


class Text(NamedTuple):
    """A piece of code as text and references."""

    parts: tuple[Part, ...]
    mentions: frozenset[str] = frozenset()
    """Attributes that it names, of whatever object."""
    dynamic: bool = False
    """Whether it reads an attribute whose name is not written there."""

    def then(self, other: Text) -> Text:
        """Both, one after the other."""
        return Text(
            (*self.parts, *other.parts),
            self.mentions | other.mentions,
            self.dynamic or other.dynamic,
        )


class Writer:
    """Writes pieces of code that stand in the same place.

    Args:
        package: Package of the module, for relative imports.
        around: Scopes around the code, from the outside in.
    """

    def __init__(self, package: str, around: Sequence[Scope] = ()) -> None:
        self._package = package
        self._scopes = list(around)
        self._parts: list[Part] = []
        self._mentions: set[str] = set()
        self._dynamic = False

    def text(self, value: object) -> Text:
        """The text of a node, or of a list of them."""
        self._parts, self._mentions, self._dynamic = [], set(), False
        self._write(value)
        joined: list[Part] = []
        words: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                words.append(part)
                continue
            if words:
                joined.append("".join(words))
                words = []
            joined.append(part)
        if words:
            joined.append("".join(words))
        return Text(tuple(joined), frozenset(self._mentions), self._dynamic)

    def _write(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self._node(value)
        elif isinstance(value, list):
            self._parts.append("[")
            # only statements can be without effect
            for item in running(value) if value and isinstance(value[0], ast.stmt) else value:
                self._write(item)
            self._parts.append("]")
        else:
            self._parts.append(f"{value!a};")

    def _node(self, node: ast.AST) -> None:
        write = _WRITING.get(type(node))
        if write is None:
            self._fields(node)
        else:
            write(self, node)

    def _constant(self, node: ast.Constant) -> None:
        # what repr escapes depends on the Unicode version of the interpreter; ascii does not
        self._parts.append(f"{type(node.value).__name__}:{node.value!a};")

    def _string(self, node: ast.JoinedStr) -> None:
        self._parts.append("JoinedStr(")
        self._write(merged(node.values))
        self._parts.append(")")

    def _fields(self, node: ast.AST, *without: str) -> None:
        """A node by its fields, the empty ones left out.

        So a field which a later Python adds (``type_params`` in 3.12) changes nothing while it is
        not used.
        """
        kind = type(node)
        self._parts.append(f"{kind.__name__}(")
        for name, heading in fields_of(kind):
            content = getattr(node, name, None)
            if content is None or content == [] or name in without:
                continue
            self._parts.append(heading)
            self._write(content)
        self._parts.append(")")

    def _chain(self, node: ast.Name | ast.Attribute) -> None:
        """``name`` or ``name.a.b``: a reference, unless the name is the definition's own."""
        attributes: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            attributes.insert(0, inner.attr)
            inner = inner.value
        self._mentions.update(attributes)
        if isinstance(inner, ast.Name):
            own, target = self._own(inner.id)
            # a class body reads from its module what it has not bound yet
            if not own or (isinstance(inner.ctx, ast.Load) and self._in_class()):
                # it may be a method, as in `forward = _run` or `{"run": _run}`
                self._mentions.update([inner.id] if self._in_class() else [])
                module, name = target or (None, inner.id)
                self._parts.append(Reference(module, name, tuple(attributes)))
                return
            self._parts.append(f"Name:{inner.id};")
        else:
            self._write(inner)
        self._parts.append("".join(f".{attribute};" for attribute in attributes))

    def _in_class(self) -> bool:
        return bool(self._scopes) and self._scopes[-1].of_class

    def _own(self, name: str) -> tuple[bool, Target | None]:
        """Whether a scope of the definition binds `name`; else where it comes from, if known."""
        for depth, scope in enumerate(reversed(self._scopes)):
            if scope.of_class and depth:
                continue
            if name in scope.module_names:
                break
            if name in scope.names:
                target = scope.names[name]
                return target is None, target
        return False, None

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Nothing where the name stands for its target alone, and only this definition reads it."""
        for name, target in scopes.imports(node, self._package):
            if self._own(name) != (False, target) or self._in_class():
                self._parts += [f"import {name}=", Reference(*target), ";"]

    def _annotated(self, node: ast.AnnAssign) -> None:
        """An assignment; of its annotation only what ``dataclasses`` look at."""
        if not self._in_class():
            if node.value is not None:
                self._fields(ast.Assign(targets=[node.target], value=node.value))
            return
        nodes = ast.walk(unquoted(node.annotation))
        words = {getattr(inner, "id", getattr(inner, "attr", "")) for inner in nodes}
        self._parts.append("".join(f"{word} " for word in sorted(words & KEPT_ANNOTATIONS)))
        self._fields(node, "annotation", "simple")

    def _function(self, node: scopes.Function) -> None:
        self._parts.append(f"{type(node).__name__}(")
        if not isinstance(node, ast.Lambda):
            # the name of a definition is not a part of it, as that of a nested one is
            if self._scopes:
                self._parts.append(f"name={node.name};")
            self._write(node.decorator_list)
        self._arguments(node.args)
        self._scopes.append(scopes.of_function(node, self._package))
        self._write(node.body)
        self._scopes.pop()
        self._parts.append(")")

    def _arguments(self, node: ast.arguments) -> None:
        """Names and defaults; the latter are computed outside the function."""
        for kind in ("posonlyargs", "args", "kwonlyargs"):
            names = [argument.arg for argument in getattr(node, kind)]
            self._parts.append(f"{kind}={names!a};")
        for argument in (node.vararg, node.kwarg):
            self._parts.append(f"{argument and argument.arg!a};")
        self._write(node.defaults)
        for default in node.kw_defaults:
            self._write(default)

    def _class(self, node: ast.ClassDef) -> None:
        self._parts.append(f"ClassDef(name={node.name};")
        self._write(node.decorator_list)
        self._write(node.bases)
        self._write(node.keywords)
        self._scopes.append(scopes.of_class(node, self._package))
        self._write(node.body)
        if node.bases:
            # one that pydantic may build objects from; `Class` does so for those of a module
            declared = (
                statement.annotation
                for statement in node.body
                if isinstance(statement, ast.AnnAssign)
            )
            if types := [unquoted(annotation) for annotation in declared]:
                self._parts.append("annotations=")
                self._write(types)
        self._scopes.pop()
        self._parts.append(")")

    def _comprehension(self, node: scopes.Comprehension) -> None:
        first = node.generators[0]
        self._parts.append(f"{type(node).__name__}(")
        # the first iterable is computed outside
        self._write(first.iter)
        self._scopes.append(scopes.of_comprehension(node, self._package))
        self._fields(first, "iter")
        self._write(node.generators[1:])
        for name in ("key", "value", "elt"):
            self._write(getattr(node, name, None))
        self._scopes.pop()
        self._parts.append(")")

    def _call(self, node: ast.Call) -> None:
        """A call, which may name attributes by strings."""
        self._fields(node)
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in READING:
            named = node.args[1:2]
        elif called in NAMING:
            named = list(node.args)
        else:
            return
        for argument in named:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self._mentions.update(argument.value.split("."))
            else:
                self._dynamic = True

    def _pattern(self, node: ast.MatchClass) -> None:
        self._fields(node)
        self._mentions.update(node.kwd_attrs)


_WRITING: dict[type[ast.AST], Callable[[Writer, Any], None]] = {
    ast.Constant: Writer._constant,
    ast.JoinedStr: Writer._string,
    ast.Name: Writer._chain,
    ast.Attribute: Writer._chain,
    ast.Import: Writer._import,
    ast.ImportFrom: Writer._import,
    ast.AnnAssign: Writer._annotated,
    ast.ClassDef: Writer._class,
    ast.Call: Writer._call,
    ast.MatchClass: Writer._pattern,
    **dict.fromkeys(FUNCTIONS, Writer._function),
    **dict.fromkeys(COMPREHENSIONS, Writer._comprehension),
}
