"""k-means of points that never sit in memory together, such as the features of all pixels.

The first points that come are clustered by `iic.engine.clustering.kmeans`; each later chunk moves
the centres as mini-batch k-means does (Sculley, WWW 2010; scikit-learn): a centre is the mean of
all points that were ever given to it. So what is held is one chunk and the first points, however
many follow, and where no more follow, the result is that of `iic.engine.clustering.kmeans`. It
needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin_min
from threadpoolctl import threadpool_limits

from iic.engine.clustering.kmeans import MOST_THREADS, kmeans
from iic.engine.clustering.settings import FIRST_POINTS
from iic.params.errors import IICError

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Centres:
    """What streamed k-means found.

    Args:
        centres: (k, d) float32.
        inertia: Sum over the points of the squared distance to the nearest centre: that of the
            moment for points that came after the first ones.
        points: How many points came.
    """

    centres: Points
    inertia: float
    points: int

    def assign(self, points: Points, threads: int = 1) -> NDArray[np.int64]:
        """Nearest centre of each point, (n,), of points (n, d)."""
        return nearest(points, self.centres, threads)[0]


def streamed_kmeans(
    chunks: Iterable[Points],
    k: int,
    *,
    name: str,
    seed: int,
    threads: int = 1,
    restarts: int = 3,
    first_points: int = FIRST_POINTS,
    max_iterations: int = 300,
) -> Centres:
    """Cluster points that come in chunks; each is looked at once and then forgotten.

    Args:
        chunks: Points (n, d) each, n of any size, in random order: the first centres are found on
            the points that come first.
        k: Clusters.
        name: The run, for messages.
        seed: Of the first centres of all restarts.
        threads: CPU threads; see `iic.engine.clustering.kmeans`.
        restarts: Of the k-means of the first points.
        first_points: How many those are at most.
        max_iterations: Of their k-means.

    Raises:
        IICError: Fewer points than clusters came, or one is NaN or infinite.
    """
    if k > first_points:
        raise IICError(
            f"{name}: {k} clusters, and first centres are found on {first_points} points"
        )
    stream = iter(chunks)
    first, left = _first(stream, first_points)
    if len(first) < k:
        raise IICError(
            f"{name}: {len(first):,} points for {k} clusters\n  remedy: fewer clusters, or more "
            "samples"
        )
    start = kmeans(
        first, k, seed=seed, threads=threads, restarts=restarts, max_iterations=max_iterations
    )
    centres, inertia, count = start.centres.astype(np.float32), start.inertia, len(first)
    model: Any = None
    for chunk in chain([left], stream):
        if not len(chunk):
            continue
        if not np.isfinite(chunk).all():
            raise IICError(f"{name}: a point to be clustered is NaN or infinite")
        inertia += float(np.square(nearest(chunk, centres, threads)[1].astype(np.float64)).sum())
        count += len(chunk)
        with threadpool_limits(min(threads, MOST_THREADS)):
            if model is None:
                # a step on the first points tells it how many each centre stands for
                model = MiniBatchKMeans(
                    k, init=centres, n_init=1, reassignment_ratio=0.0, random_state=seed % 2**32
                ).partial_fit(first)
            model.partial_fit(chunk)
        centres = np.ascontiguousarray(model.cluster_centers_, dtype=np.float32)
    return Centres(centres, inertia, count)


def nearest(
    points: Points, centres: Points, threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]]]:
    """Nearest centre of each point and the distance to it, both (n,).

    Args:
        points: (n, d).
        centres: (k, d).
        threads: CPU threads.
    """
    with threadpool_limits(min(threads, MOST_THREADS)):
        which, far = pairwise_distances_argmin_min(points, centres)
    return which.astype(np.int64), far


def _first(stream: Iterator[Points], most: int) -> tuple[Points, Points]:
    """The first `most` points, and what is left of the chunk that they end in."""
    kept: list[Points] = []
    held = 0
    for chunk in stream:
        kept.append(np.asarray(chunk, dtype=np.float32))
        held += len(chunk)
        if held >= most:
            break
    points = np.concatenate(kept) if kept else np.zeros((0, 1), np.float32)
    return points[:most], points[most:]
