"""PCA with whitening and unit length of features that come in chunks (DeepCluster's preprocessing).

Caron et al. (ECCV 2018), section 3.3: features are PCA-reduced to 256 dimensions, whitened and
L2-normalised before they are clustered. Mean and covariance are summed in float64 over the chunks,
so that the features never sit in memory together. It needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from iic.params.errors import IICError

Points = NDArray[np.float32]

RIDGE = 1e-5
"""Share of the mean variance that is added to each: a direction without variance, as behind a dead
unit, is left out by it rather than blown up."""


@dataclass(frozen=True)
class Whitening:
    """An affine map, and what is done after it.

    Args:
        mean: (d,) float32.
        projection: (d, c) float32: principal directions, each divided by its standard deviation.
    """

    mean: Points
    projection: Points

    def __call__(self, features: Points) -> Points:
        """Features (n, d) as they are clustered, (n, c), each of length 1."""
        whitened = (features - self.mean) @ self.projection
        length = np.linalg.norm(whitened, axis=1, keepdims=True)
        scaled: Points = (whitened / np.maximum(length, 1e-12)).astype(np.float32)
        return scaled


def fit_whitening(chunks: Iterable[Points], components: int, name: str) -> Whitening:
    """Find the leading principal directions of all features.

    Args:
        chunks: Features (n, d) each.
        components: c; where d or the number of features is smaller, so many.
        name: The run, for messages.

    Raises:
        IICError: No feature came, or one is NaN or infinite.
    """
    count = 0
    shift = total = products = np.zeros(0)
    for chunk in chunks:
        if not len(chunk):
            continue
        if not np.isfinite(chunk).all():
            raise IICError(f"{name}: a feature to be clustered is NaN or infinite")
        wide = chunk.astype(np.float64)
        if not count:
            # sums are taken about a point among the features, lest large means drown the variance
            shift = wide.mean(axis=0)
            total, products = np.zeros_like(shift), np.zeros((len(shift), len(shift)))
        wide -= shift
        count += len(wide)
        total += wide.sum(axis=0)
        products += wide.T @ wide
    if not count:
        raise IICError(f"{name}: no features to find principal directions of")
    offset = total / count
    covariance = products / count - np.outer(offset, offset)
    size = len(shift)
    kept = min(components, size, count)
    variances, directions = eigh(covariance, subset_by_index=(size - kept, size - 1))
    ridge = RIDGE * max(float(np.trace(covariance)) / size, 1e-30)
    scale = 1 / np.sqrt(np.maximum(variances[::-1], 0) + ridge)
    # the sign of an eigenvector is the library's whim: its largest entry is made positive
    ordered = directions[:, ::-1]
    signs = np.sign(ordered[np.abs(ordered).argmax(axis=0), np.arange(kept)])
    projection = ordered * signs * scale
    return Whitening((shift + offset).astype(np.float32), projection.astype(np.float32))
