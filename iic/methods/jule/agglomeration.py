"""Clusters that are merged by the affinity of their images' neighbourhoods (torch-free).

Graph degree linkage on a sparse graph, as JULE has it (Yang, Parikh and Batra, CVPR 2016, section
3.3): with W the weights of edges to the nearest neighbours, the affinity of cluster j for i is the
sum over its images of (their edges from i) (their edges to i), by the square of i's size; a pair
has the sum of both directions. Nothing of the size of all pairs is ever held.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.floating[Any]]
Clusters = NDArray[np.int64]

LOCAL_FROM = 100
"""With so many clusters or fewer, the highest affinity alone decides which are merged."""
ISOLATED_FROM = 20
"""With more clusters than this times k, those without any affinity are merged before all others."""


def edges(distances: Floats, neighbours: NDArray[np.int64]) -> Any:
    """Weights exp(-d^2 / mean d^2) of the edges to the nearest neighbours.

    Args:
        distances: To each image's neighbours, (n, q).
        neighbours: Their indices, (n, q).

    Returns:
        Sparse (n, n); row i has the edges from i.
    """
    number, count = distances.shape
    squares = np.square(distances, dtype=np.float64)
    weights = np.exp(-squares / (squares.mean() or 1.0))
    starts = np.arange(0, number * count + 1, count)
    return csr_array((weights.ravel(), neighbours.ravel(), starts), shape=(number, number))


def chains(nearest: NDArray[np.int64]) -> Clusters:
    """First clusters: images that hang together by edges to the nearest neighbour alone, (n,).

    Args:
        nearest: Nearest neighbour of each image, (n,).
    """
    number = len(nearest)
    graph = csr_array((np.ones(number), nearest, np.arange(number + 1)), shape=(number, number))
    pieces: Clusters = connected_components(graph, directed=False)[1].astype(np.int64)
    return pieces


class Agglomeration:
    """Clusters of images, and the affinities of those pairs that have any.

    Args:
        weights: From `edges`, (n, n).
        clusters: Cluster of each image, (n,); all numbers from 0 to the largest occur.
        points: What the images' distances are of, (n, d): of use to clusters without affinities.
        local: Clusters around each one, of whose affinities the merged pair's shall stand out.
    """

    def __init__(self, weights: Any, clusters: Clusters, points: Floats, local: int) -> None:
        number = int(clusters.max()) + 1
        members = csr_array(
            (np.ones(len(clusters)), clusters, np.arange(len(clusters) + 1)),
            shape=(len(clusters), number),
        )
        self._local = local
        self._sizes = np.bincount(clusters, minlength=number).astype(np.float64)
        self._sums = members.T @ points
        self._joined = np.arange(number)
        self._clusters = clusters
        walks = (members.T @ (weights @ members).multiply(weights.T @ members)).tocoo()
        # self._walks[i][j]: sum over images of i of (edges to j) (edges from j)
        self._walks: list[dict[int, float]] = [{} for _ in range(number)]
        for i, j, value in zip(
            walks.row.tolist(), walks.col.tolist(), walks.data.tolist(), strict=True
        ):
            if i != j:
                self._walks[i][j] = value
                self._walks[j].setdefault(i, 0.0)
        self._affinities: list[dict[int, float]] = [
            {j: self._affinity(i, j) for j in row} for i, row in enumerate(self._walks)
        ]
        self.count = number
        """Clusters that there are."""
        self._scores = np.array([self._score(i) for i in range(number)])

    def affinity(self, i: int, j: int) -> float:
        """Affinity of two clusters, by the numbers that they had at the start or kept since."""
        return self._affinities[i].get(j, 0.0)

    @property
    def clusters(self) -> Clusters:
        """Cluster of each image, numbered from 0 without gaps, (n,)."""
        return np.unique(self._joined[self._clusters], return_inverse=True)[1]

    def join_isolated(self, k: int) -> None:
        """Merge clusters without any affinity with the nearest one, while there are many."""
        for i, row in enumerate(self._affinities):
            if self.count <= ISOLATED_FROM * k:
                return
            if self._scores[i] == 0 and not any(row.values()):
                self._join(i, self._nearest(i))

    def merge(self, times: int) -> None:
        """Merge the pair of highest affinity, so many times.

        With many clusters it is that whose affinity and distance from the affinities around it are
        highest together. Where no pair has an affinity, a cluster joins the nearest one.
        """
        for _ in range(times):
            best = int(self._scores.argmax())
            row = self._affinities[best]
            linked = self._scores[best] > 0
            self._join(best, max(row, key=row.__getitem__) if linked else self._nearest(best))

    def _affinity(self, i: int, j: int) -> float:
        return float(
            self._walks[j].get(i, 0.0) / self._sizes[i] ** 2
            + self._walks[i].get(j, 0.0) / self._sizes[j] ** 2
        )

    def _score(self, i: int) -> float:
        values = self._affinities[i].values()
        if self.count <= LOCAL_FROM:
            return max(values, default=0.0)
        highest, *others = heapq.nlargest(self._local, values) or [0.0]
        if self._local == 1:
            return highest
        return highest + highest - sum(others) / (self._local - 1)

    def _nearest(self, i: int) -> int:
        """The cluster whose images' mean is nearest to that of cluster i."""
        alive = np.flatnonzero(self._scores >= 0)
        alive = alive[alive != i]
        means = self._sums[alive] / self._sizes[alive, None]
        distances = np.square(means - self._sums[i] / self._sizes[i]).sum(axis=1)
        return int(alive[distances.argmin()])

    def _join(self, first: int, second: int) -> None:
        """Make one cluster of two: walks to it, and from it, are the sums of theirs.

        The second sum leaves out walks that go to one part and come back from the other: the
        source's fast form, which each new graph puts right.
        """
        kept, gone = min(first, second), max(first, second)
        walks, own, other = self._walks, self._walks[kept], self._walks[gone]
        own.pop(gone, None), other.pop(kept, None)
        for j, value in other.items():
            own[j] = own.get(j, 0.0) + value
            walks[j][kept] = walks[j].get(kept, 0.0) + walks[j].pop(gone)
            del self._affinities[j][gone]
        self._sizes[kept] += self._sizes[gone]
        self._sums[kept] += self._sums[gone]
        self._joined[self._joined == gone] = kept
        self._walks[gone], self._affinities[gone], self._scores[gone] = {}, {}, -1.0
        self.count -= 1
        self._affinities[kept] = {j: self._affinity(kept, j) for j in own}
        for j, value in self._affinities[kept].items():
            self._affinities[j][kept] = value
        changed = [kept, *own]
        if self.count == LOCAL_FROM:
            changed = np.flatnonzero(self._scores >= 0).tolist()
        for j in changed:
            self._scores[j] = self._score(j)
