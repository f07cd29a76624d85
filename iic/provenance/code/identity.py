"""What a job's code is: the definitions that it reaches from its roots, and one hash over them.

A definition counts if something that counts names it; a method of a class that counts does if its
name is read off anything. In the hash each reference stands as the hash of what it refers to, and
no file's or module's name stands there at all: a move changes nothing, and a changed constant
changes what reaches it, however far away, and nothing else.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from iic.provenance.code.hashing import Parts, hashes_of
from iic.provenance.code.modules import EFFECTS, Class, CodeError, Module
from iic.provenance.code.names import GIVEN, Key, Names, base_key, qualified
from iic.provenance.code.sources import without_collection
from iic.provenance.code.syntax import Reference, Text

SHORT = 12
"""Characters of the hash of a single definition."""

# outside the package: their own methods call none of a subclass by a name that is not special
PASSIVE = frozenset({
    "pydantic.BaseModel", "typing.Generic", "typing.Protocol", "typing.NamedTuple", "typing.Any",
    "abc.ABC", "enum.Enum", "enum.IntEnum", "enum.StrEnum", "object", "Exception", "ValueError",
    "RuntimeError", "KeyError", "OSError", "str", "int", "float", "dict", "list", "tuple",
})  # fmt: skip
MODELS = frozenset({"pydantic.BaseModel", "pydantic.RootModel"})
INITIAL = "model_post_init"
"""Gives an object of pydantic more than its values."""


@dataclass(frozen=True)
class Identity:
    """The code of a job."""

    value: str | None
    """SHA-256 that changes if and only if the code changes; it knows no module or file. None for a
    job whose code does not matter."""
    definitions: dict[str, str]
    """Qualified name -> hash of that definition alone, to say what has changed."""


@dataclass(frozen=True)
class _Node:
    """A definition as the job reaches it, its references resolved."""

    parts: Parts
    references: tuple[Key, ...]
    """Those of `parts` that are definitions."""
    mentions: frozenset[str]


class Code:
    """The code below one folder, each file read once.

    Args:
        source: Folder that holds the package.
        uncounted: Modules, or definitions by their qualified name, that alter no result: what
            refers to them has their name, and nothing of theirs is followed.
    """

    def __init__(self, source: Path, uncounted: Iterable[str] = ()) -> None:
        self._names = Names(source, uncounted)
        self._nodes: dict[Key, _Node] = {}
        self._own_hashes: dict[Key, str] = {}
        self._optional_methods: dict[Key, dict[str, Key]] = {}

    def identity(self, roots: Iterable[str], given: Iterable[str] = ()) -> Identity:
        """The code of a job.

        Args:
            roots: What it runs: qualified names such as ``iic.methods.dec.method.train``.
            given: Classes of the objects that it is given, whose values are hashed elsewhere: of
                them, their bases and their fields' classes, count the methods that are named.

        Raises:
            CodeError: A root does not exist, or a file that is reached is no valid Python.
        """
        with without_collection():
            keys = [self._names.root(name) for name in roots]
            reached = self._reach([*keys, *self._given([self._names.root(name) for name in given])])
        classes = [key for key in reached if self._names.class_of(key) is not None]
        hashes = hashes_of(reached, classes)
        labels = [hashes[key] for key in keys]
        # the classes of what is given have no order
        labels += sorted(hashes[key] for key in reached if _is_given(key))
        digest = hashlib.sha256("\n".join(labels).encode()).hexdigest()
        # a class that is given and used as well has the hash of the latter
        own = {qualified(key): self._own_hash(key) for key in sorted(reached, reverse=True)}
        return Identity(digest, dict(sorted(own.items())))

    def module(self, name: str) -> Module | None:
        """A module of the package; None where there is none.

        Raises:
            CodeError: It is no valid Python.
        """
        return self._names.module(name)

    def _given(self, classes: list[Key]) -> list[Key]:
        """Classes with their bases and the classes of their fields, marked as given."""
        seen: set[Key] = set()
        pending = list(classes)
        while pending:
            key = pending.pop()
            if key in seen:
                continue
            seen.add(key)
            own = self._names.class_of(key)
            if own is None:
                # what a type is called: `Name = Annotated[...]`
                pending += self._node(key).references
            else:
                named = [part for part in own.annotations.parts if not isinstance(part, str)]
                named += [base for base in own.bases if base is not None]
                targets = (
                    part for reference in named for part in self._names.resolve(key[0], reference)
                )
                pending += [part for part in targets if not isinstance(part, str)]
        return [(key[0], key[1] + GIVEN) for key in seen if self._names.class_of(key) is not None]

    def _reach(self, roots: list[Key]) -> dict[Key, Parts]:
        """Everything that counts, with what it says; of a class, with the methods that count."""
        reached: dict[Key, Parts] = {}
        mentions: set[str] = set()
        waiting: dict[str, list[Key]] = {}
        """Method's name -> methods of reached classes that nothing has named yet."""
        pending = list(roots)
        while pending:
            key = pending.pop()
            if key in reached:
                continue
            node = self._node(key)
            reached[key] = node.parts
            pending += node.references
            for name in node.mentions - mentions:
                pending += waiting.pop(name, ())
            mentions |= node.mentions
            for name, method in self._optional(key).items():
                if name in mentions:
                    pending.append(method)
                else:
                    waiting.setdefault(name, []).append(method)
        for key, parts in reached.items():
            if methods := self._optional(key):
                named = sorted(name for name, method in methods.items() if method in reached)
                added = [part for name in named for part in (f"{name}:", methods[name])]
                reached[key] = (*parts, *added)
        self._tell_apart(reached)
        return {key: parts for key, parts in reached.items() if parts or not _is_given(key)}

    def _tell_apart(self, reached: dict[Key, Parts]) -> None:
        """Name the given classes that count methods of one name, and say which base comes first.

        Each method counts by its hash alone: without names two classes could swap theirs.
        """
        owners: dict[str, set[Key]] = {}
        for key in filter(_is_given, reached):
            own = self._names.class_of(key)
            for name in own.methods if own is not None else ():
                if _method(key, name) in reached:
                    owners.setdefault(name, set()).add(key)
        rivals = {key for keys in owners.values() if len(keys) > 1 for key in keys}
        for key in filter(_is_given, list(reached)):
            bases = [base for base in self._bases(key) if rivals & self._lineage(base)]
            names = [*([key] if key in rivals else []), *(bases if len(bases) > 1 else [])]
            reached[key] = (*(f"{name};" for _, name in names), *reached[key])

    def _bases(self, key: Key) -> list[Key]:
        """Bases of a class that the package defines."""
        own = self._names.class_of(key)
        named = (base for base in own.bases if base is not None) if own is not None else ()
        targets = (target for base in named for target in self._names.resolve(key[0], base))
        return [target for target in targets if not isinstance(target, str)]

    def _lineage(self, key: Key) -> set[Key]:
        """A class and all its bases, marked as given."""
        bases = (self._lineage(base) for base in self._bases(key))
        return {(key[0], base_key(key)[1] + GIVEN)}.union(*bases)

    def _certain(self, key: Key, own: Class) -> list[Key]:
        """Methods of a class that may run without being named."""
        outside = self._names.foreign_bases(base_key(key))
        given, model = _is_given(key), self._names.inherits(base_key(key), MODELS)
        foreign = not given and not outside <= PASSIVE
        return [
            _method(key, name)
            for name, method in sorted(own.methods.items())
            if foreign
            or (method.special and not (given and method.validates))
            or (model and name.startswith("model_") and (not given or name == INITIAL))
            or (method.decorated and not given)
        ]

    def _optional(self, key: Key) -> dict[str, Key]:
        """Methods of a class that count only where something names them."""
        if key not in self._optional_methods:
            own = self._names.class_of(key)
            certain = [] if own is None else self._certain(key, own)
            self._optional_methods[key] = {
                name: _method(key, name)
                for name, method in (own.methods.items() if own is not None else ())
                # the values that a validator lets through are hashed elsewhere
                if not (_is_given(key) and method.validates)
                if _method(key, name) not in certain
            }
        return self._optional_methods[key]

    def _node(self, key: Key) -> _Node:
        """A definition with its references resolved; of a class the part that always counts."""
        if key in self._nodes:
            return self._nodes[key]
        module, own = self._names.module(key[0]), self._names.class_of(key)
        assert module is not None
        try:
            texts = self._texts(key, own)
        except RecursionError:
            raise CodeError(f"{qualified(key)} is nested too deeply") from None
        parts: list[str | Key] = []
        for text in texts:
            for part in text.parts:
                parts += [part] if isinstance(part, str) else self._names.resolve(key[0], part)
        if _is_given(key) and parts == ["[]"]:
            parts = []
        if own is not None:
            for method in self._certain(key, own):
                parts += [f"{method[1].rpartition('.')[2]}:", method]
        if EFFECTS in module.definitions and key[1] != EFFECTS and not _is_given(key):
            parts.append((key[0], EFFECTS))
        mentions = frozenset[str]().union(*(text.mentions for text in texts))
        references = tuple(part for part in parts if not isinstance(part, str))
        if any(text.dynamic for text in texts):
            mentions |= self._any_method(key[0]).union(*map(self._methods, references))
        self._nodes[key] = _Node(tuple(parts), references, mentions)
        return self._nodes[key]

    def _texts(self, key: Key, own: Class | None) -> list[Text]:
        if own is None:
            definition = self._names.definition(key)
            if isinstance(definition, Class):
                definition = definition.methods[key[1].partition(".")[2]]
            return [definition.text]
        if _is_given(key):
            return [own.constants]
        return [own.text, own.annotations] if self._names.inherits(key, MODELS) else [own.text]

    def _methods(self, key: Key) -> frozenset[str]:
        """Names of the methods of a class and its bases; none for anything else."""
        own = self._names.class_of(key)
        if own is None:
            return frozenset()
        return frozenset(own.methods).union(*map(self._methods, self._bases(key)))

    def _any_method(self, module: str) -> frozenset[str]:
        """Methods of all classes that a module defines or imports: one that is computed is read."""
        own = self._names.module(module)
        assert own is not None
        names: set[str] = set()
        for name in (*own.definitions, *own.imports):
            for target in self._names.resolve(module, Reference(None, name)):
                names |= set() if isinstance(target, str) else self._methods(target)
        return frozenset(names)

    def _own_hash(self, key: Key) -> str:
        """Hash of what a definition says itself; of a class, without the methods."""
        if key not in self._own_hashes:
            parts = (
                part if isinstance(part, str) else f"<{part[1]}>" for part in self._node(key).parts
            )
            digest = hashlib.sha256("".join(parts).encode()).hexdigest()
            self._own_hashes[key] = digest[:SHORT]
        return self._own_hashes[key]


def _method(key: Key, name: str) -> Key:
    return key[0], f"{base_key(key)[1]}.{name}"


def _is_given(key: Key) -> bool:
    return key[1].endswith(GIVEN)
