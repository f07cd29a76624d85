"""What can be wrong with images and models of one's own."""

from __future__ import annotations

from iic.params.errors import IICError


class OwnDataError(IICError):
    """Images, labels or features that cannot be clustered; names the file and the remedy."""


class ModelError(IICError):
    """A model that is not there, is damaged, of another version, or meets other images."""


class Unreadable(Exception):
    """One image that cannot be read; its message is the reason, and the run goes on."""
