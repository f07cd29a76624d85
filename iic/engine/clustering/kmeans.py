"""k-means of points that fit into memory: one seeded function for every method that needs it.

Lloyd's algorithm from k-means++ seeds, several restarts, the one of lowest inertia kept
(scikit-learn). It needs no torch. Points that do not fit: `iic.engine.clustering.streamed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from iic.params.errors import IICError

MOST_THREADS = 2
"""More are not used: each thread adds its part to the centres when it is done, and the rounding of
three or more parts depends on who was first. The sum of two does not."""


@dataclass(frozen=True)
class Clustering:
    """What k-means found.

    Args:
        clusters: Cluster of each point, (n,), the smallest unsigned type that holds k - 1.
        centres: (k, d), in the type of the points.
        inertia: Sum over the points of the squared distance to their centre.
    """

    clusters: NDArray[np.unsignedinteger[Any]]
    centres: NDArray[np.floating[Any]]
    inertia: float


def kmeans(
    points: NDArray[np.floating[Any]],
    k: int,
    *,
    seed: int,
    threads: int = 1,
    restarts: int = 10,
    max_iterations: int = 300,
) -> Clustering:
    """Cluster `points`; the same arguments give the same bytes on the same kind of machine.

    Args:
        points: (n, d), float32 or float64.
        k: Clusters.
        seed: Of the first centres of all restarts; at least 0, and used modulo 2^32.
        threads: CPU threads, of which at most `MOST_THREADS` are used; one and two may differ in
            the last bits.
        restarts: Runs from other first centres.
        max_iterations: Of one run.

    Raises:
        IICError: There are fewer points than clusters, or a point is NaN or infinite.
    """
    if len(points) < k:
        raise IICError(f"k-means: {k} clusters for {len(points)} points\n  remedy: a smaller k")
    # the extremes, in which NaN is passed on, in place of a mask as large as the points
    if points.size and not (np.isfinite(points.min()) and np.isfinite(points.max())):
        rows = int((~np.isfinite(points)).any(1).sum())
        raise IICError(
            f"k-means: {rows:,} of {len(points):,} points are NaN or infinite: what made them "
            "went wrong before"
        )
    with threadpool_limits(min(threads, MOST_THREADS)):
        model = KMeans(k, n_init=restarts, max_iter=max_iterations, random_state=seed % 2**32).fit(
            points
        )
    return Clustering(
        clusters=model.labels_.astype(np.min_scalar_type(k - 1)),
        centres=np.ascontiguousarray(model.cluster_centers_),
        inertia=float(model.inertia_),
    )
