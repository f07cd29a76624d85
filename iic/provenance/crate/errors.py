"""Why a crate cannot be made."""

from __future__ import annotations

from iic.params.errors import IICError


class CrateError(IICError):
    """Results that cannot be exported, or a place that the crate cannot be written to."""
