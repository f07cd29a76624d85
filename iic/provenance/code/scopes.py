"""Which names of a definition are its own, and which it takes from its module.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Pass, ast.Break, ast.Continue})
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Target(NamedTuple):
    """What an import binds a name to."""

    module: str
    name: str | None
    """None where the name stands for the module itself."""


@dataclass
class Scope:
    """The names that a function, a class body or a comprehension binds."""

    names: dict[str, Target | None] = field(default_factory=dict)
    """Name -> what an import binds it to; None for anything else, or for both."""
    module_names: set[str] = field(default_factory=set)
    """Names under ``global``."""
    of_class: bool = False
    """A class body, whose names its methods do not see."""

    def bind(self, name: str, target: Target | None = None) -> None:
        """Note one more binding of `name`."""
        self.names[name] = target if self.names.get(name, target) == target else None


def imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Target]]:
    """Names that an import binds, with what they stand for; ``*`` is one of them.

    Args:
        node: The statement.
        package: Package of the module in which it stands, for relative imports.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield alias.asname or top, Target(alias.name if alias.asname else top, None)
        return
    parents = package.split(".")
    above = parents[: len(parents) - node.level + 1] if node.level else []
    module = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        yield alias.asname or alias.name, Target(module, alias.name)


def of_function(node: Function, package: str) -> Scope:
    """Parameters and everything that the body binds, nested functions and classes left out."""
    scope = Scope()
    spec = node.args
    for argument in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg):
        if argument is not None:
            scope.bind(argument.arg)
    _collect([node.body] if isinstance(node, ast.Lambda) else node.body, scope, package)
    return _closed(scope)


def of_class(node: ast.ClassDef, package: str) -> Scope:
    """The attributes that a class body binds."""
    scope = Scope(of_class=True)
    _collect(node.body, scope, package)
    return _closed(scope)


def of_comprehension(node: Comprehension, package: str) -> Scope:
    """The variables of a comprehension; what ``:=`` binds belongs to the scope around it."""
    scope = Scope()
    _collect([generator.target for generator in node.generators], scope, package)
    return scope


def of_statements(statements: Iterable[ast.AST], package: str) -> Scope:
    """What statements bind in the scope in which they stand."""
    scope = Scope()
    _collect(statements, scope, package)
    return scope


def _closed(scope: Scope) -> Scope:
    for name in scope.module_names:
        scope.names.pop(name, None)
    return scope


def _collect(nodes: Iterable[ast.AST], scope: Scope, package: str) -> None:
    for node in nodes:
        kind = type(node)
        if kind in LEAVES:
            continue
        if kind is ast.Name:
            assert isinstance(node, ast.Name)
            if type(node.ctx) is not ast.Load:
                scope.bind(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, target in imports(node, package):
                scope.bind(name, target)
        elif isinstance(node, ast.Global):
            scope.module_names.update(node.names)
        elif isinstance(node, ast.Lambda):
            _collect([*node.args.defaults, *filter(None, node.args.kw_defaults)], scope, package)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            scope.bind(node.name)
            _collect(node.decorator_list, scope, package)
        elif isinstance(node, COMPREHENSIONS):
            walruses = [inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]
            _collect([inner.target for inner in walruses], scope, package)
        else:
            bound = None
            if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
                bound = node.name
            elif isinstance(node, ast.MatchMapping):
                bound = node.rest
            if bound is not None:
                scope.bind(bound)
            _collect(ast.iter_child_nodes(node), scope, package)
