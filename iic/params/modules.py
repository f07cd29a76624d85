"""What params files name of the repository: modules by their dotted path, files by their path."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from iic.params.errors import SettingsError

PACKAGE = Path(__file__).resolve().parents[1]


METHODS = f"{PACKAGE.name}.methods."


def method_name(module: str) -> str:
    """What a method is called for short: ``dec``, ``autoencoders.sparse``, ``kmeans``."""
    return module.removeprefix(METHODS).removesuffix(".method")


def method_modules() -> list[str]:
    """Dotted paths of the methods of this package: what lies in ``methods`` and can train."""
    trains = re.compile(r"^def train\(", re.MULTILINE)
    paths = (
        path
        for path in sorted((PACKAGE / "methods").rglob("[!_]*.py"))
        if not any(part.startswith("_") for part in path.relative_to(PACKAGE).parts)
        if trains.search(path.read_text(encoding="utf-8"))
    )
    return [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]


def check_module(name: str, file: str, key: str) -> None:
    """Check that the module `name` exists, without importing it.

    Raises:
        SettingsError: It does not; suggests the nearest module of this package.
    """
    try:
        exists = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        exists = False
    if not exists:
        raise SettingsError(
            file,
            key,
            f"there is no module {name!r}",
            allowed="the dotted path of a module",
            candidates=_modules(),
            given=name,
        )


def check_file(name: str, file: str, key: str) -> None:
    """Check that the repository has a file `name`.

    Raises:
        SettingsError: It does not.
    """
    if not (PACKAGE.parent / name).is_file():
        raise SettingsError(
            file,
            key,
            f"there is no file {name!r}",
            allowed="the path of a file of this repository, from its root",
        )


def _modules() -> list[str]:
    paths = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    return sorted(".".join(path.parts) for path in paths if path.name != "__init__")
