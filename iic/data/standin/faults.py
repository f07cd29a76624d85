"""The one error of the stand-ins: the catalogue asks for what they do not have."""

from __future__ import annotations

from iic.data.errors import DataError
from iic.params.datasets import CATALOGUE


def wrong(problem: str) -> DataError:
    """The error about a file, class or count that no stand-in can be written with."""
    return DataError(
        f"{CATALOGUE}: {problem}\n  remedy: name files and classes as iic/data/standin has them"
    )
