"""Codes of images, scaled as the settings say before k-means clusters them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.float32]
SMALLEST = 1e-12
"""Deviation or length below which a number of the code, or a code, is left unscaled."""


def scaled(codes: Codes, scaling: str) -> Codes:
    """Codes (n, d) as they are clustered: see `CodeClusterSettings.scaling`."""
    if scaling == "none":
        return codes
    wide = codes.astype(np.float64)
    if scaling == "standardise":
        wide -= wide.mean(axis=0)
        size = wide.std(axis=0)
    else:
        size = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(size > SMALLEST, size, 1)).astype(np.float32)
