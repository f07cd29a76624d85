"""The graph of nearest neighbours, and its leading eigenvectors (torch-free).

What `iic.methods.spectral.method` clusters. All of it is deterministic: the search is exact, and
the iterations for the eigenvectors start from seeded vectors.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from sklearn.neighbors import NearestNeighbors

from iic.params.errors import IICError

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SCALE_NEIGHBOUR = 7
"""The neighbour whose distance is a point's local scale (Zelnik-Manor and Perona, NIPS 2004)."""
BLOCK = 8192
"""Points whose neighbours are searched at once. scikit-learn works in pieces of 256 anyway: so many
give each thread pieces of its own, and fewer would only let a signal in more often."""
DENSE = 500
"""Up to so many points a piece of the graph is solved as a full matrix, in which Lanczos may be
short of dimensions: 2 MB, a tenth of a second."""
VANISHING = 1e-18
"""A point whose affinities add up to less than this share of the largest sum has no edges: its part
of an eigenvector goes with the root of the sum, and would drown in rounding."""


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


def affinity(distances: Floats, neighbours: Indices) -> Any:
    """Self-tuning affinities of the symmetrised graph of neighbours.

    Copies have affinity 1. An image with 7 copies has the local scale 0, which leaves it no edge to
    anything else: the limit of the formula.

    Args:
        distances: To each point's neighbours, ascending, (n, q), q at least 7.
        neighbours: Their indices, (n, q).

    Returns:
        Sparse (n, n), symmetric, zero on the diagonal, without stored zeros.
    """
    number, count = distances.shape
    scale = distances[:, SCALE_NEIGHBOUR - 1]
    # divided by one scale after the other, whose product might be too small for a float
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = (distances / scale[:, None]) * (distances / scale[neighbours])
    weights = np.where(distances > 0, np.exp(-exponent), 1.0)
    starts = np.arange(0, number * count + 1, count)
    graph = csr_array((weights.ravel(), neighbours.ravel(), starts), shape=(number, number))
    # both directions of an edge have the same affinity, so this adds what one of them lacks
    graph = graph.maximum(graph.T).tocsr()
    graph.eliminate_zeros()
    return graph


def embedding(
    graph: Any, neighbours: Indices, k: int, seed: int, name: str
) -> tuple[Floats, Floats]:
    """Rows of the k leading eigenvectors of the normalised graph, each of length 1.

    Args:
        graph: From `affinity`, (n, n).
        neighbours: Indices of each point's neighbours, the nearest first, (n, q).
        k: Eigenvectors.
        seed: Of the vectors that the iterations start from.
        name: The run, for messages.

    Returns:
        (n, k), and the eigenvalues (k,), the largest first and those of the pieces before others.

    Raises:
        IICError: The graph has more than k pieces, or the eigenvectors are not found.
    """
    degrees = graph.sum(axis=1)
    strong = degrees > VANISHING * degrees.max()
    # nor has a point edges that has them to such points alone
    kept = np.flatnonzero(strong & (graph @ strong.astype(np.float64) > 0))
    graph = graph[kept][:, kept]
    root = diags_array(1 / np.sqrt(graph.sum(axis=1)))
    normalised = (root @ graph @ root).tocsr()
    pieces, piece = connected_components(normalised, directed=False)
    sizes = np.bincount(piece)
    if pieces > 1 or len(kept) < len(degrees):
        log.info(
            "%s: the graph has %s pieces, the largest of %s images; %s images are without edges",
            name,
            f"{pieces:,}",
            f"{sizes.max():,}",
            f"{len(degrees) - len(kept):,}",
        )
    if pieces > k:
        raise IICError(
            f"{name}: the graph falls into {pieces:,} pieces, which leaves open how {k} clusters "
            "are made of them\n  remedy: more `neighbours`"
        )
    values, vectors = [], np.zeros((len(degrees), 0))
    for index in range(pieces):
        members = np.flatnonzero(piece == index)
        # one for every other piece is spoken for
        number = min(k - pieces + 1, len(members))
        of_piece, inside = _leading(normalised[members][:, members], number, seed, name)
        block = np.zeros((len(degrees), number))
        block[kept[members]] = inside
        vectors = np.hstack([vectors, block])
        values += [(rank > 0, -value) for rank, value in enumerate(of_piece)]
    order = sorted(range(len(values)), key=values.__getitem__)[:k]
    rows = vectors[:, order]
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    _adopt(rows, neighbours, kept)
    return rows, np.array([-values[column][1] for column in order])


def _leading(matrix: Any, count: int, seed: int, name: str) -> tuple[Floats, Floats]:
    """The `count` largest eigenvalues of a symmetric sparse matrix, descending, and vectors."""
    size = matrix.shape[0]
    if size <= max(DENSE, 2 * count):
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        # ARPACK's own start would differ from one call to the next
        start = np.random.default_rng(seed).uniform(0.5, 1.5, size)
        try:
            values, vectors = eigsh(matrix, count, which="LA", v0=start)
        except ArpackNoConvergence as error:
            raise IICError(
                f"{name}: the eigenvectors of the graph are not found: {error}\n"
                "  remedy: other `neighbours`"
            ) from error
    order = np.argsort(-values, kind="stable")[:count]
    return values[order], vectors[:, order]


def _adopt(rows: Floats, neighbours: Indices, kept: Indices) -> None:
    """Give points without edges the row of their nearest neighbour that has any; else zeros."""
    has = np.zeros(len(rows), bool)
    has[kept] = True
    for point in np.flatnonzero(~has):
        others = neighbours[point][has[neighbours[point]]]
        rows[point] = rows[others[0]] if len(others) else 0
