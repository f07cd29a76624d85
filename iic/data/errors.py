"""Errors about data: they name the file, what is wrong with it and the remedy."""

from __future__ import annotations

from pathlib import Path

from iic.params.errors import IICError


class DataError(IICError):
    """Raw or prepared data is missing, damaged or not what the catalogue says."""


class DownloadError(DataError):
    """A raw file could not be had from any source, or could not be stored."""


def replace_files(raw: Path) -> str:
    """The last line of an error about a file in a dataset's raw folder: how to replace it."""
    return f"\n  remedy: `iic download --dataset {raw.name}` replaces what differs"
