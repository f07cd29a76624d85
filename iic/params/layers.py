"""Values that come from several places, one laid over the other, and which place to blame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iic.params.errors import SettingsError


@dataclass(frozen=True)
class Layer:
    """A mapping of values and where it stands.

    Args:
        file: File that it was read from.
        key: Dotted path of the mapping inside the file; empty for the whole file.
        values: The mapping.
    """

    file: str
    key: str
    values: Mapping[str, Any]

    def source(self, path: str) -> tuple[str, str]:
        """File and dotted path inside the file of the value at `path`."""
        return self.file, ".".join(part for part in (self.key, path) if part)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: mappings key by key, everything else replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def flattened(layers: Iterable[Layer]) -> dict[str, Any]:
    """All layers as one mapping, the later ones laid on the earlier ones."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = merged(result, layer.values)
    return result


def origin(layers: Sequence[Layer], path: str) -> Layer:
    """The layer that gives the value at the dotted `path`, or comes nearest to giving it.

    Of several, the last, since it covers the others.
    """
    return max(reversed(layers), key=lambda layer: _depth(layer.values, path))


def given(layers: Iterable[Layer], path: str) -> bool:
    """Whether a layer gives the value at the dotted `path` or a part of it."""
    parts = path.split(".")
    return any(_depth(layer.values, path) == len(parts) for layer in layers)


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of everything in `values` that is no mapping itself."""
    for key, value in values.items():
        below = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from leaves(value, below)
        else:
            yield below, value


def check_known(
    name: str, names: Iterable[str], source: tuple[str, str], kind: str, allowed: str | None = None
) -> None:
    """Check that `name` is one of `names`.

    Args:
        name: What a file says.
        names: What it may say.
        source: File and key that say it.
        kind: What `names` are, e.g. ``dataset``.
        allowed: What is allowed, where that is not simply one of `names`.

    Raises:
        SettingsError: It is not; suggests the nearest.
    """
    names = list(names)
    if name not in names:
        raise SettingsError(
            *source,
            f"{name!r} is no known {kind}",
            allowed=allowed or few(names) or "none here",
            candidates=names,
            given=name,
        )


def few(names: Iterable[str], most: int = 12) -> str:
    """Names in a line; the first of them where they are many."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} others" if rest > 0 else "")


def _depth(value: Any, path: str) -> int:
    """How many parts of `path` lead somewhere inside `value`."""
    parts = path.split(".") if path else []
    for depth, part in enumerate(parts):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, Sequence) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return depth
    return len(parts)
