"""k-means beside IIC, and the images that stand for each cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.engine.clustering.kmeans import kmeans
from iic.engine.clustering.streamed import nearest
from iic.own.answers import Answers
from iic.own.extras import extra
from iic.records.files import atomic_file

MOST_POINTS = 20_000
"""k-means finds its centres on so many images, evenly spaced in the order of contents."""
SHOWN = 12
"""Images of each kind that stand for a cluster."""
KINDS = ("certain", "central", "uncertain")
CHUNK = 4096
COMPONENTS = 20
MOST_COMPARED = 2000
"""Points between which all distances are taken for a silhouette."""


def kmeans_on_points(
    points: NDArray[np.generic], k: int, threads: int, scale: float = 1.0
) -> NDArray[np.int64]:
    """Clusters of points (n, d), divided by `scale`, by k-means, (n,)."""
    sample = points[:: -(-len(points) // MOST_POINTS)].astype(np.float32) / scale
    found = kmeans(sample, k, seed=0, threads=threads, restarts=3, max_iterations=100)
    parts = []
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK].astype(np.float32) / scale
        parts.append(nearest(chunk, found.centres, threads)[0])
    return np.concatenate(parts)


def reduced_by_components(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (n, d) in the space of their principal components, (n, c)."""
    from sklearn.decomposition import PCA

    components = min(COMPONENTS, *points.shape)
    reduced: NDArray[np.float32] = PCA(components, svd_solver="full", random_state=0).fit_transform(
        points
    )
    return reduced


def reduced_by_umap(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (n, d) in the plane of UMAP, (n, 2).

    Raises:
        MissingExtra: It is not installed.
    """
    with extra("umap"):
        from umap import UMAP
    neighbours = min(15, len(points) - 1)
    reduced: NDArray[np.float32] = UMAP(
        n_neighbors=neighbours, init="random", random_state=0, n_jobs=1
    ).fit_transform(points)
    return reduced


def silhouette(
    points: NDArray[np.generic],
    clusters: NDArray[np.int64],
    reduce: Callable[[NDArray[np.float32]], NDArray[np.float32]] = reduced_by_components,
) -> float:
    """Mean silhouette of clusters in a space of few dimensions; 0 for one cluster.

    Args:
        points: (n, ...).
        clusters: (n,).
        reduce: Gives that space.
    """
    from sklearn.metrics import silhouette_score

    step = -(-len(points) // MOST_COMPARED)
    sample = points[::step].reshape(len(points[::step]), -1).astype(np.float32)
    own = clusters[::step]
    if not 1 < len(np.unique(own)) < len(own):
        return 0.0
    return float(silhouette_score(reduce(sample), own))


def examples(
    said: Answers, probabilities: NDArray[np.float32], k: int
) -> dict[str, NDArray[np.int64]]:
    """Images that stand for each cluster: for each of `KINDS` their indices (k, m), -1 for none.

    Args:
        said: Answers for all images.
        probabilities: By all sub-heads, (n, h, k): the middle of a cluster is their mean.
        k: Clusters.
    """
    chosen = {kind: np.full((k, SHOWN), -1) for kind in KINDS}
    for cluster in range(k):
        members = np.flatnonzero(said.clusters == cluster)
        if not len(members):
            continue
        points = probabilities[members].reshape(len(members), -1)
        distances = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
        by_certainty = members[np.argsort(-said.probability[members], kind="stable")]
        orders = {
            "certain": by_certainty,
            "central": members[np.argsort(distances, kind="stable")],
            "uncertain": by_certainty[::-1],
        }
        for kind, order in orders.items():
            chosen[kind][cluster, : min(SHOWN, len(order))] = order[:SHOWN]
    return chosen


def write_examples(
    path: Path,
    chosen: dict[str, NDArray[np.int64]],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
) -> None:
    """Write which images stand for the clusters, and these images alone.

    Args:
        path: A .npz file.
        chosen: `examples`.
        pixels: All images, (n, C, S, S).
        rows: Row of each image in the table of assignments, (n,).
    """
    images = np.unique(np.concatenate([own.ravel() for own in chosen.values()]))
    images = images[images >= 0]
    # in the file an example is a place in its own array of images
    places = {kind: np.searchsorted(images, own) for kind, own in chosen.items()}
    for kind, own in chosen.items():
        places[kind][own < 0] = -1
    with atomic_file(path) as file:
        content: dict[str, Any] = {"rows": rows[images], "pixels": pixels[images], **places}
        np.savez_compressed(file, **content)


def read_examples(path: Path) -> dict[str, NDArray[np.generic]]:
    """What `write_examples` wrote: ``rows``, ``pixels``, and of each kind places in them.

    Of a segmentation: ``pixels`` and ``maps``.
    """
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}
