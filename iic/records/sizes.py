"""Sizes in bytes as people read them."""

from __future__ import annotations

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Bytes in a unit that a reader can grasp, e.g. ``54.9 MB``."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {UNITS[unit]}"
