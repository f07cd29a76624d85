"""Base of every settings model and every record."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Immutable, with unknown keys forbidden and no silent conversion of types.

    ``5.0`` is no integer and ``"yes"`` no boolean here: a params file says what it means.
    Integers are taken where a float is asked for, as YAML writers expect.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Problem(NamedTuple):
    """A semantic error: each value is well-formed, but they do not fit together."""

    key: str
    message: str
    allowed: str | None = None
