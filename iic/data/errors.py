"""Errors about data: they name the file, what is wrong with it and the remedy."""

from __future__ import annotations

from iic.params.errors import IICError


class DataError(IICError):
    """Raw or prepared data is missing, damaged or not what the catalogue says."""


class DownloadError(DataError):
    """A raw file could not be had from any source, or could not be stored."""
