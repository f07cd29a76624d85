"""The nearest neighbours of points: one exact search for all methods (torch-free)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from iic.params.errors import IICError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCK = 8192
"""Points whose neighbours are searched at once. scikit-learn works in pieces of 256 anyway: so many
give each thread pieces of its own, and fewer would only let a signal in more often."""


def nearest(points: NDArray[np.float32], count: int) -> tuple[Floats, Indices]:
    """The `count` nearest other points of each point, by brute force and in constant memory.

    Args:
        points: (n, d).
        count: Neighbours, fewer than n.

    Returns:
        Distances (n, count), ascending, and indices (n, count).

    Raises:
        IICError: There are too few points.
    """
    number = len(points)
    if count >= number:
        raise IICError(f"{count} neighbours of each of {number} images\n  remedy: fewer neighbours")
    search = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(points)
    distances = np.empty((number, count))
    neighbours = np.empty((number, count), np.int64)
    for start in range(0, number, BLOCK):
        block = slice(start, min(start + BLOCK, number))
        far, which = search.kneighbors(points[block])
        # the point itself is left out; where as many copies of it come first, one of them is
        other = which != np.arange(block.start, block.stop)[:, None]
        other[other.all(1), -1] = False
        distances[block] = far[other].reshape(-1, count)
        neighbours[block] = which[other].reshape(-1, count)
    return distances, neighbours
