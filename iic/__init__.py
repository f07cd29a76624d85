"""Reference reproduction of IIC (Invariant Information Clustering, ICCV 2019)."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`IIC`, which is imported when it is first asked for: torch takes a second."""
    if name != "IIC":
        raise AttributeError(f"module 'iic' has no attribute {name!r}")
    from iic.own.estimator import IIC

    return IIC
