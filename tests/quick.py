"""Which cases of a kind are quick tests, run by `make test`, and which are long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_quick(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """Cases for `pytest.mark.parametrize`, where each takes seconds and all look for one fault.

    Args:
        cases: Values, the most telling first.
        quick: How many are quick tests; the others are long.
    """
    values = list(cases)
    return values[:quick] + [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long)
        for value in values[quick:]
    ]
