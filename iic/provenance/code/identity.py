"""What a job's code is: the definitions that it reaches from its roots, and one hash over them.

A definition counts if something that counts names it; a method of a class that counts does if its
name is read off anything. In the hash each reference stands as the hash of what it refers to, and
no file's or module's name stands there at all: a move changes nothing, and a changed constant
changes what reaches it, however far away, and nothing else.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iic.provenance.code.components import components
from iic.provenance.code.modules import EFFECTS, Module
from iic.provenance.code.names import GIVEN, Key, Names, base_key, qualified
from iic.provenance.code.syntax import Reference

SHORT = 12
"""Characters of the hash of a single definition."""

# outside the package: their own methods call none of a subclass by a name that is not special
PASSIVE = frozenset({
    "pydantic.BaseModel", "typing.Generic", "typing.Protocol", "typing.NamedTuple", "typing.Any",
    "abc.ABC", "enum.Enum", "enum.IntEnum", "enum.StrEnum", "object", "Exception", "ValueError",
    "RuntimeError", "KeyError", "OSError", "str", "int", "float", "dict", "list", "tuple",
})  # fmt: skip
MODEL = "pydantic.BaseModel"


@dataclass(frozen=True)
class Identity:
    """The code of a job."""

    value: str | None
    """SHA-256 that changes if and only if the code changes; it knows no module or file. None for a
    job whose code does not matter."""
    definitions: dict[str, str]
    """Qualified name -> hash of that definition alone, to say what has changed."""


@dataclass
class _Node:
    """A definition as the job reaches it, its references resolved."""

    parts: list[str | Key] = field(default_factory=list)
    mentions: frozenset[str] = frozenset()


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
        self._named_methods: dict[Key, list[Key]] = {}

    def identity(self, roots: Iterable[str], given: Iterable[str] = ()) -> Identity:
        """The code of a job.

        Args:
            roots: What it runs: qualified names such as ``iic.methods.dec.train``.
            given: Classes of the objects that it is given, whose values are hashed elsewhere: of
                them, their bases and their fields' classes, count the methods that are named.

        Raises:
            CodeError: A root does not exist, or a file that is reached is no valid Python.
        """
        keys = [self._names.root(name) for name in roots]
        reached = self._reach([*keys, *self._given([self._names.root(name) for name in given])])
        hashes = self._hashes(reached)
        labels = [hashes[key] for key in keys]
        # the classes of what is given have no order
        labels += sorted(hashes[key] for key in reached if _is_given(key))
        whole = hashlib.sha256("\n".join(labels).encode()).hexdigest()
        # a class that is given and used as well has the hash of the latter
        own = {qualified(key): self._own_hash(key) for key in sorted(reached, reverse=True)}
        return Identity(whole, dict(sorted(own.items())))

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
            found = self._names.definition(key)
            if found.bases is None:
                # what a type is called: `Name = Annotated[...]`
                parts = self._node(key).parts
            else:
                texts = [found.annotations.parts] if found.annotations else []
                named = [one for text in texts for one in text if not isinstance(one, str)]
                parts = [
                    part
                    for one in (*found.bases, *named)
                    for part in self._names.resolve(key[0], one)
                ]
            pending += [part for part in parts if not isinstance(part, str)]
        return [
            (key[0], key[1] + GIVEN)
            for key in seen
            if self._names.definition(key).bases is not None
        ]

    def _reach(self, roots: list[Key]) -> dict[Key, _Node]:
        reached: dict[Key, _Node] = {}
        mentions: set[str] = set()
        waiting: dict[str, list[Key]] = {}
        """Method's name -> methods of reached classes that nothing has named yet."""
        pending = list(roots)
        while pending:
            key = pending.pop()
            if key in reached:
                continue
            node = self._node(key)
            # methods are added below: which of them count is another thing in each job
            reached[key] = _Node(list(node.parts), node.mentions)
            pending += [part for part in node.parts if not isinstance(part, str)]
            for name in node.mentions - mentions:
                pending += waiting.pop(name, [])
            mentions |= node.mentions
            for method in self._optional(key):
                if method[1].rpartition(".")[2] in mentions:
                    pending.append(method)
                else:
                    waiting.setdefault(method[1].rpartition(".")[2], []).append(method)
        for key in sorted(reached):
            module, name = key
            owner, _, called = name.rpartition(".")
            for suffix in ("", GIVEN) if owner else ():
                holder = (module, owner + suffix)
                if holder in reached and key in self._optional(holder):
                    reached[holder].parts += [f"{called}:", key]
        return {key: node for key, node in reached.items() if node.parts or not _is_given(key)}

    def _certain(self, key: Key) -> list[Key]:
        """Methods of a class that may run without being named."""
        found, outside = self._names.definition(key), self._names.foreign_bases(base_key(key))
        given, model = _is_given(key), MODEL in outside
        foreign = not given and not (found.plain_bases and outside <= PASSIVE)
        return [
            (key[0], f"{key[1].removesuffix(GIVEN)}.{name}")
            for name, member in sorted(found.members.items())
            if foreign
            or (member.special and not member.decorated)
            or (not given and (member.decorated or (model and name.startswith("model_"))))
        ]

    def _optional(self, key: Key) -> list[Key]:
        """Methods of a class that count only where something names them."""
        if key not in self._named_methods:
            self._named_methods[key] = self._sorted_out(key) if self._names.is_class(key) else []
        return self._named_methods[key]

    def _sorted_out(self, key: Key) -> list[Key]:
        found, certain = self._names.definition(key), self._certain(key)
        names = [
            name
            for name, member in found.members.items()
            # the values that a validator lets through are hashed elsewhere
            if not (_is_given(key) and member.decorated)
        ]
        keys = [(key[0], f"{key[1].removesuffix(GIVEN)}.{name}") for name in names]
        return [one for one in keys if one not in certain]

    def _node(self, key: Key) -> _Node:
        """A definition with its references resolved; of a class the part that always counts."""
        if key in self._nodes:
            return self._nodes[key]
        own, found = self._names.module(key[0]), self._names.definition(key)
        assert own is not None
        if "." in key[1]:
            texts = [found.members[key[1].partition(".")[2]].text]
        elif _is_given(key):
            texts = [found.constants] if found.constants is not None else []
        else:
            texts = [found.text]
            if found.annotations is not None and MODEL in self._names.foreign_bases(key):
                texts.append(found.annotations)
        parts: list[str | Key] = []
        for text in texts:
            for part in text.parts:
                parts += [part] if isinstance(part, str) else self._names.resolve(key[0], part)
        if _is_given(key) and parts == ["[]"]:
            parts = []
        if self._names.is_class(key):
            for method in self._certain(key):
                parts += [f"{method[1].rpartition('.')[2]}:", method]
        if EFFECTS in own.definitions and key[1] != EFFECTS and not _is_given(key):
            parts.append((key[0], EFFECTS))
        mentions = frozenset[str]().union(*(text.mentions for text in texts))
        if any(text.dynamic for text in texts):
            mentions |= self._any_method(key[0])
        self._nodes[key] = _Node(parts, mentions)
        return self._nodes[key]

    def _any_method(self, module: str) -> frozenset[str]:
        """Methods of all classes that a module defines or imports: one that is computed is read."""
        own = self._names.module(module)
        assert own is not None
        names: set[str] = set()
        for name in (*own.definitions, *own.imports):
            for target in self._names.resolve(module, Reference(None, name)):
                if not isinstance(target, str) and self._names.is_class(target):
                    names |= set(self._names.definition(target).members)
        return frozenset(names)

    # hashes

    def _hashes(self, reached: Mapping[Key, _Node]) -> dict[Key, str]:
        edges = {
            key: [part for part in node.parts if not isinstance(part, str)]
            for key, node in reached.items()
        }
        hashes: dict[Key, str] = {}
        for group in components(edges):
            labels = dict.fromkeys(group, "")
            # in a circle each is told from the others by what it refers to, step by step
            for _ in group if len(group) > 1 or group[0] in edges[group[0]] else [None]:
                known = {**labels}
                labels = {key: _hashed(reached[key].parts, hashes, known) for key in group}
            hashes |= labels
        return hashes

    def _own_hash(self, key: Key) -> str:
        """Hash of what a definition says itself; of a class, without the methods."""
        parts = (
            part if isinstance(part, str) else f"<{part[1]}>" for part in self._node(key).parts
        )
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:SHORT]


def _hashed(parts: Iterable[str | Key], hashes: Mapping[Key, str], group: Mapping[Key, str]) -> str:
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode())
        else:
            total.update(f"<{group[part] if part in group else hashes[part]}>".encode())
    return total.hexdigest()


def _is_given(key: Key) -> bool:
    return key[1].endswith(GIVEN)
