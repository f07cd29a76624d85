"""What a name of the package stands for: through imports, re-exports and attributes of modules.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from iic.provenance.code.modules import Class, CodeError, Module, Piece
from iic.provenance.code.sources import find as find_module
from iic.provenance.code.sources import read
from iic.provenance.code.syntax import Reference

PACKAGE = "iic"
GIVEN = "()"
"""Marks a class whose objects a job is given."""

COMPUTED = "a base that is computed"

Key = tuple[str, str]
"""Module and name; of a method ``Class.method``."""


class Names:
    """The names of the package below one folder, each file read once.

    Args:
        source: Folder that holds the package.
        uncounted: Modules, or definitions by their qualified name, that are not followed.
        modules: Modules that were read already; those that are read now are added.
    """

    def __init__(
        self,
        source: Path,
        uncounted: Iterable[str] = (),
        modules: dict[str, Module | None] | None = None,
    ) -> None:
        self._source = source
        self._uncounted = tuple(uncounted)
        self._modules = {} if modules is None else modules
        self._resolved: dict[tuple[str, Reference], tuple[str | Key, ...]] = {}
        self._outside: dict[Key, frozenset[str]] = {}
        self._all: Names | None = None

    def module(self, name: str) -> Module | None:
        """A module of the package; None where there is none.

        Raises:
            CodeError: It is no valid Python.
        """
        if name not in self._modules:
            path = find_module(name, self._source) if name.split(".")[0] == PACKAGE else None
            package = name if path and path.name == "__init__.py" else name.rpartition(".")[0]
            self._modules[name] = None if path is None else read(path, package)
        return self._modules[name]

    def root(self, name: str) -> Key:
        """The definition with a qualified name.

        Raises:
            CodeError: There is none, or a file is no valid Python.
        """
        parts = name.split(".")
        ends = (end for end in range(len(parts) - 1, 0, -1))
        length = next((end for end in ends if self.module(".".join(parts[:end])) is not None), 0)
        if not length:
            raise CodeError(f"there is no {name!r} under {self._source}")
        module = ".".join(parts[:length])
        reference = Reference(None, parts[length], tuple(parts[length + 1 :]))
        target = self.resolve(module, reference)
        if len(target) == 1 and not isinstance(target[0], str):
            return target[0]
        raise CodeError(f"there is no {name!r}: module {module} defines no {parts[length]!r}")

    def resolve(self, module: str, reference: Reference) -> tuple[str | Key, ...]:
        """A definition, or all those of a module, or a text; then the attributes left over."""
        at = (module, reference)
        if at not in self._resolved:
            self._resolved[at] = ()  # a circle of imports that defines nothing
            try:
                self._resolved[at] = self._looked_up(module, reference)
            except CodeError:
                del self._resolved[at]  # whoever asks again is to be told so, too
                raise
        return self._resolved[at]

    def _looked_up(self, module: str, reference: Reference) -> tuple[str | Key, ...]:
        where, name, attributes = reference
        if where is None:
            assert name is not None
            own = self.module(module)
            assert own is not None
            if name in own.definitions:
                return self._definition((module, name), attributes)
            if name in own.imports:
                return self.resolve(module, Reference(*own.imports[name], attributes))
            if (star := self._star(module, name)) is not None:
                return self.resolve(star, Reference(None, name, attributes))
            return (_words(name, attributes),)
        if where.split(".")[0] != PACKAGE:
            return (_words(where, (name, *attributes) if name else attributes),)
        if name is not None:
            inner = self.module(where)
            if inner is not None and (name in inner.definitions or name in inner.imports):
                return self.resolve(where, Reference(None, name, attributes))
            if self.module(f"{where}.{name}") is None:
                if inner is None or not inner.stars:
                    raise CodeError(f"{module}: imports {name!r} from {where}, which has no such")
                return self.resolve(where, Reference(None, name, attributes))
            where = f"{where}.{name}"
        return self._of_module(module, where, attributes)

    def _star(self, module: str, name: str, seen: frozenset[str] = frozenset()) -> str | None:
        """The module from which `module` has `name` by ``import *``; the last one counts."""
        own = self.module(module)
        for star in reversed(own.stars) if own is not None and module not in seen else ():
            other = self.module(star)
            if other is not None and (name in other.definitions or name in other.imports):
                return star
            if (inner := self._star(star, name, seen | {module})) is not None:
                return inner
        return None

    def _of_module(
        self, user: str, module: str, attributes: tuple[str, ...]
    ) -> tuple[str | Key, ...]:
        """What ``module.a.b`` is; without attributes everything that the module defines."""
        own = self.module(module)
        if own is None:
            raise CodeError(f"{user}: imports {module}, which does not exist")
        if attributes:
            first, *rest = attributes
            if first in own.definitions or first in own.imports:
                return self.resolve(module, Reference(None, first, tuple(rest)))
            if self._star(module, first) is not None:
                return self.resolve(module, Reference(None, first, tuple(rest)))
            # a folder without a file of its own is a package as well
            for end in range(1, len(attributes) + 1):
                inner = ".".join([module, *attributes[:end]])
                if self.module(inner) is not None:
                    return self._of_module(user, inner, attributes[end:])
            if first.startswith("__"):
                return (_words(module.rpartition(".")[2], attributes),)
        keys = [(module, name) for name in sorted(own.definitions)]
        return (
            *(part for key in keys for part in self._definition(key, ())),
            _words("", attributes),
        )

    def _definition(self, key: Key, attributes: tuple[str, ...]) -> tuple[str | Key, ...]:
        left = (_words("", attributes),) if attributes else ()
        if self._skipped(key):
            return (f"<{key[1]}>", *left)
        return (key, *left)

    def _skipped(self, key: Key) -> bool:
        module, name = key
        return any(
            module == uncounted
            or module.startswith(f"{uncounted}.")
            or f"{module}.{name}" == uncounted
            for uncounted in self._uncounted
        )

    def definition(self, key: Key) -> Piece:
        """What a key stands for; of a method's, the class."""
        own = self.module(key[0])
        assert own is not None
        return own.definitions[key[1].removesuffix(GIVEN).partition(".")[0]]

    def class_of(self, key: Key) -> Class | None:
        """The class that a key stands for, given or not; None for anything else."""
        definition = None if "." in key[1] else self.definition(key)
        return definition if isinstance(definition, Class) else None

    def foreign_bases(self, key: Key) -> frozenset[str]:
        """Bases of a class, and of its bases, that lie outside the package or are computed."""
        if key not in self._outside:
            self._outside[key] = frozenset()  # a class that is its own base
            try:
                self._outside[key] = frozenset(self._foreign(key))
            except CodeError:
                del self._outside[key]
                raise
        return self._outside[key]

    def _foreign(self, key: Key) -> Iterator[str]:
        own = self.class_of(key)
        for base in own.bases if own is not None else ():
            if base is None:
                yield COMPUTED
                continue
            target = self.resolve(key[0], base)[0]
            if isinstance(target, str):
                yield target.removesuffix(";")
            elif self.class_of(target) is not None:
                yield from self.foreign_bases(target)
            else:
                yield qualified(target)

    def inherits(self, key: Key, bases: frozenset[str]) -> bool:
        """Whether a class has one of these foreign bases, even through one that is uncounted."""
        if self._all is None:
            self._all = Names(self._source, modules=self._modules)
        return not bases.isdisjoint(self._all.foreign_bases(key))


def base_key(key: Key) -> Key:
    """A class as such, whether it is marked as given or not."""
    return key[0], key[1].removesuffix(GIVEN)


def qualified(key: Key) -> str:
    """``module.name``."""
    return ".".join(base_key(key))


def _words(name: str, attributes: Iterable[str]) -> str:
    return ".".join([name, *attributes]) + ";"
