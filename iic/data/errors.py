"""Errors about data: they name the file, what is wrong with it and the remedy."""

from __future__ import annotations

from pathlib import Path

from iic.params.errors import IICError


class DataError(IICError):
    """Raw or prepared data is missing, damaged or not what the catalogue says."""


class DownloadError(DataError):
    """A raw file could not be had from any source, or could not be stored."""


def replace_files(raw: Path) -> str:
    """The last line of an error about a file in a dataset's raw folder: how to replace it.

    The list of files goes too: it may note a wrong file's own checksum as the right one.
    """
    return (
        f"\n  remedy: delete the wrong file and {raw}/files.json, then "
        f"`iic download --dataset {raw.name}` brings it anew (with --mirror DIR_OR_URL from a "
        "folder or server of your own)"
    )
