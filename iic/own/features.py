"""Features that were computed elsewhere: a row for each image of the listing, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from iic.own.errors import OwnDataError
from iic.own.items import Listing

KINDS = (".npy", ".parquet", ".safetensors")


def read_features(path: Path, listed: Listing, source: Path) -> dict[str, NDArray[np.float32]]:
    """The features of each listed image by its name, (d,).

    Args:
        path: A .npy (n, d), a .parquet of numbers, with or without a column ``path``, or a
            .safetensors with one tensor (n, d).
        listed: The images; of a folder in the order of their paths.
        source: Where they are listed, for errors.

    Raises:
        OwnDataError: Another kind of file or shape, another number of rows, NaN or infinity.
    """
    names = [item.name for item in listed.items]
    array, own_names = _array(path)
    if array.ndim != 2 or 0 in array.shape or not np.issubdtype(array.dtype, np.number):
        raise OwnDataError(
            f"{path}: {array.dtype} of shape {array.shape}: numbers of shape (n, d) are needed"
        )
    if own_names is None and len(array) != len(names):
        raise OwnDataError(
            f"{path}: {len(array):,} rows, but {source} lists {len(names):,} files\n"
            "  remedy: a row for each file, in the order of the paths; or a parquet file with a "
            "column path"
        )
    points = array.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise OwnDataError(
            f"{path}: {len(wrong):,} of {len(points):,} rows hold NaN or infinity, the first is "
            f"row {wrong[0]}"
        )
    rows = dict(zip(own_names or names, points, strict=True))
    if len(rows) < len(points):
        raise OwnDataError(f"{path}: {len(points) - len(rows):,} paths are there more than once")
    missing = [name for name in names if name not in rows]
    if missing:
        raise OwnDataError(f"{path}: no row for {len(missing):,} images, first {missing[0]!r}")
    return {name: rows[name] for name in names}


def _array(path: Path) -> tuple[NDArray[Any], list[str] | None]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(path, allow_pickle=False), None
        if suffix == ".parquet":
            table = pd.read_parquet(path)
            names = [str(name) for name in table.pop("path")] if "path" in table else None
            return table.to_numpy(), names
        if suffix == ".safetensors":
            tensors = load(path.read_bytes())
            if len(tensors) != 1:
                raise OwnDataError(f"{path}: {len(tensors)} tensors, one is needed")
            return next(iter(tensors.values())), None
    except (OSError, ValueError, SafetensorError) as error:
        raise OwnDataError(f"{path}: no features that can be read: {error}") from None
    raise OwnDataError(f"{path}: no kind of features\n  allowed: {', '.join(KINDS)}")
