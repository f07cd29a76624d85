"""Formal parameters of the workflow and its tools, and the values that jobs had for them.

A value that many jobs share stands in the crate once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from iic.provenance.crate.graph import Graph, reference
from iic.records.files import sha256_json

TYPES: dict[type, str] = {bool: "Boolean", int: "Integer", float: "Float", str: "Text"}
MIXED = "PropertyValue"

Scalar = bool | int | float | str


class Parameters:
    """The parameters of one crate, described once all their values are known."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._types: dict[str, set[str]] = {}
        self._descriptions: dict[str, str] = {}
        self._of: dict[tuple[str, str], list[str]] = {}

    def files(self, owner: str, direction: str, name: str, description: str) -> str:
        """A parameter that takes files.

        Args:
            owner: The tool's rule, or ``workflow``.
            direction: ``input`` or ``output``.
            name: Its name.
            description: What these files are.

        Returns:
            Its identifier.
        """
        return self._parameter(owner, direction, name, "File", description)

    def value(self, owner: str, name: str, value: Any, description: str) -> str:
        """A value of an input parameter.

        Args:
            owner: The tool's rule, or ``workflow``.
            name: The parameter.
            value: JSON; what is neither number, text, true nor false is written out as JSON.
            description: What the parameter is.

        Returns:
            The value's identifier.
        """
        plain = isinstance(value, Scalar)
        kind = TYPES[type(value)] if plain else "Text"
        parameter = self._parameter(owner, "input", name, kind, description)
        identifier = f"#value/{owner}/{quote(name)}/{sha256_json(value)[:12]}"
        if identifier not in self.graph:
            self.graph.add(
                identifier,
                "PropertyValue",
                name=name,
                value=value if plain else json.dumps(value, sort_keys=True),
                exampleOfWork=reference(parameter),
            )
        return identifier

    def of(self, owner: str, direction: str) -> list[str]:
        """Parameters of a tool that were used, in the order in which they came up."""
        return self._of.get((owner, direction), [])

    def describe(self) -> None:
        """Add all parameters to the crate."""
        for identifier, types in self._types.items():
            kind = next(iter(types)) if len(types) == 1 else MIXED
            if types == {"Integer", "Float"}:
                kind = "Number"
            self.graph.add(
                identifier,
                "FormalParameter",
                name=unquote(identifier.rsplit("/", 1)[-1]),
                additionalType=kind,
                description=self._descriptions[identifier],
            )

    def _parameter(self, owner: str, direction: str, name: str, kind: str, description: str) -> str:
        identifier = f"#parameter/{owner}/{quote(name)}"
        if identifier not in self._types:
            self._of.setdefault((owner, direction), []).append(identifier)
        self._types.setdefault(identifier, set()).add(kind)
        self._descriptions.setdefault(identifier, description)
        return identifier


def leaves(settings: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every setting at any depth; lists are values, null is left out.

    Args:
        settings: JSON.
        above: What every name begins with.
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}", value
