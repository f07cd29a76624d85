"""Packages that a few verbs alone need: they are imported when they are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from iic.params.errors import IICError


class MissingExtra(IICError):
    """A package of an extra is not installed."""


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of packages of the extra `name` in ``pyproject.toml``.

    Raises:
        MissingExtra: One of them is not installed, or cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtra(
            f"{error.name or name}: not installed here: {error}\n"
            f"  remedy: pip install 'iic[{name}]'"
        ) from None
