"""Modules read from their files, each content once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from iic.provenance.code.modules import CodeError, Module, parse


def find(module: str, source: Path) -> Path | None:
    """The file of `module` below `source`; None where there is none."""
    base = source.joinpath(*module.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def read(path: Path, package: str) -> Module:
    """The module in `path`.

    Raises:
        CodeError: It cannot be read, or is no valid Python.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CodeError(f"{path}: cannot be read: {error}") from None
    try:
        return _parsed(text, package)
    except CodeError as error:
        raise CodeError(f"{path}{error}") from None


# wherever it lies: the same module in another clone is not read again
_parsed = cache(parse)


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for cyclic garbage: syntax trees are many objects, and halve the speed with it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # the trees stay for good, so that nobody need search them again
        gc.freeze()
        if enabled:
            gc.enable()
