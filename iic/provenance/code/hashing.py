"""Hashes of definitions, in which each reference stands as the hash of what it refers to.

Standard library only: a test runs this room under every Python that the project allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from iic.provenance.code.components import components
from iic.provenance.code.names import Key

Parts = tuple[str | Key, ...]
"""Text, and the definitions that stand in it."""


def hashes_of(reached: Mapping[Key, Parts], classes: Iterable[Key]) -> dict[Key, str]:
    """SHA-256 of each definition.

    Args:
        reached: Definition -> what it says; every definition in the values is a key as well.
        classes: Those that are classes. Of two with the same text each counts by its name, since
            Python asks which one an object is of, and an ``except`` clause as well.
    """
    hashes = _hashes(reached)
    twins: dict[str, list[Key]] = {}
    for key in classes:
        twins.setdefault(hashes[key], []).append(key)
    named = {
        key: (f"{key[1]};", *reached[key])
        for keys in twins.values()
        if len(keys) > 1
        for key in keys
    }
    return _hashes({**reached, **named}) if named else hashes


def _hashes(reached: Mapping[Key, Parts]) -> dict[Key, str]:
    edges = {
        key: [part for part in parts if not isinstance(part, str)] for key, parts in reached.items()
    }
    hashes: dict[Key, str] = {}
    for group in components(edges):
        labels = dict.fromkeys(group, "")
        # in a circle each is told from the others by what it refers to, step by step
        for _ in group if len(group) > 1 or group[0] in edges[group[0]] else [None]:
            earlier = {**labels}
            labels = {key: _hashed(reached[key], hashes, earlier) for key in group}
        hashes |= labels
    return hashes


def _hashed(parts: Parts, hashes: Mapping[Key, str], group: Mapping[Key, str]) -> str:
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode())
        else:
            total.update(f"<{group[part] if part in group else hashes[part]}>".encode())
    return total.hexdigest()
