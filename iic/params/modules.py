"""What params files name of the repository: modules by their dotted path, files by their path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from iic.params.errors import SettingsError

PACKAGE = Path(__file__).resolve().parents[1]


def check_module(name: str, file: str, key: str) -> None:
    """Check that the module `name` exists, without importing it.

    Raises:
        SettingsError: It does not; suggests the nearest module of this package.
    """
    try:
        found = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise SettingsError(
            file, key, f"there is no module {name!r}",
            allowed="the dotted path of a module", candidates=_modules(), given=name,
        )  # fmt: skip


def check_file(name: str, file: str, key: str) -> None:
    """Check that the repository has a file `name`.

    Raises:
        SettingsError: It does not.
    """
    if not (PACKAGE.parent / name).is_file():
        raise SettingsError(
            file, key, f"there is no file {name!r}",
            allowed="the path of a file of this repository, from its root",
        )  # fmt: skip


def _modules() -> list[str]:
    paths = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    return sorted(".".join(path.parts) for path in paths if path.name != "__init__")
