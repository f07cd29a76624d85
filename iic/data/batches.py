"""What a dataset's reader yields, and the one way from other numbers to uint8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.errors import DataError


@dataclass(frozen=True)
class Batch:
    """Consecutive images.

    Args:
        images: uint8, (n, channels, height, width).
        labels: int64, (n,), -1 where an image has none; None when none of them has one.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


def whole_numbers(values: NDArray[Any], file: Path, low: int, high: int) -> NDArray[np.int64]:
    """Numbers that are to become pixels or labels, as integers.

    Args:
        values: Any shape, any numeric type.
        file: Where they were read, for the error.
        low: Least value allowed.
        high: Greatest value allowed.

    Raises:
        DataError: A value is NaN, infinite, no whole number or outside `low` to `high`; names the
            file, the index of the first such value and the value.
    """
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= low) & (values <= high) & (np.floor(values) == values))
    if wrong.any():
        index = tuple(int(part) for part in np.argwhere(wrong)[0])
        raise DataError(
            f"{file}: value {values[index]} at index {index} is no whole number from {low} to "
            f"{high} ({int(wrong.sum()):,} of {values.size:,} values are wrong)\n"
            "  remedy: replace the file by the one that the catalogue describes"
        )
    return values.astype(np.int64)
