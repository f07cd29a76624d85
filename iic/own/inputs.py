"""What the Python interface takes as images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.own.arrays import rows
from iic.own.decode import decode, in_channels
from iic.own.errors import OwnDataError, Unreadable
from iic.own.items import FileItem, Listing
from iic.own.sources import listing


def is_images(X: Any) -> bool:
    """Whether X is images or where they lie, and not vectors."""
    if isinstance(X, (str, os.PathLike)):
        return True
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], (str, os.PathLike)):
        return True
    return len(getattr(X, "shape", ())) in (3, 4)


def image_listing(X: Any, top: float | None = None) -> Listing:
    """The images of X; a file that is none is refused, since each has to have its row.

    Raises:
        OwnDataError: There are none, or arrays that are none.
    """
    if isinstance(X, (str, os.PathLike)):
        return listing(Path(X), top)
    if isinstance(X, (list, tuple)):
        return Listing([FileItem(str(name), Path(name)) for name in X])
    return rows(np.asarray(X), "X", top=top)


def pixels_like(listed: Listing, side: int, channels: int) -> NDArray[np.uint8]:
    """Images at a working size, (n, C, S, S), in the order in which they are listed.

    Raises:
        OwnDataError: One cannot be read; names it.
    """
    images = []
    for item in listed.items:
        try:
            images.append(in_channels(decode(item.read(), side), channels))
        except Unreadable as reason:
            raise OwnDataError(
                f"{item.name}: {reason}\n  remedy: leave it out; `iic fit` skips such files"
            ) from None
    return np.stack(images)
