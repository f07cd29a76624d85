"""Modules read from their files, each content once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from iic.provenance.code.modules import CodeError, Module, parse


def read(path: Path, package: str) -> Module:
    """The module in `path`.

    Raises:
        CodeError: It cannot be read, or is no valid Python.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CodeError(f"{path}: cannot be read: {error}") from None
    return _parsed(text, str(path), package)


@cache
def _parsed(text: str, name: str, package: str) -> Module:
    return parse(text, name, package)
