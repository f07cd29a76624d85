"""Matching of clusters to classes, from the counts of their co-occurrences.

The paper's unsupervised results use a one-to-one matching with the highest accuracy; with more
clusters than classes each cluster goes to its most frequent class (many-to-one).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iic.params.errors import IICError
from iic.records.evaluation import Matching

Ints = NDArray[np.int64]

UNMATCHED = -1
"""Class of a cluster that one-to-one matching leaves over; such samples count as wrong."""


class EvaluationError(IICError):
    """Assignments, labels or losses that cannot be scored."""


def contingency(clusters: ArrayLike, labels: ArrayLike, k_clusters: int, k_classes: int) -> Ints:
    """Count how often each cluster meets each class.

    Args:
        clusters: Cluster per sample and sub-head, integers (n, h), or (n,) for one.
        labels: Class per sample, integers (n,), never negative: leave unlabelled samples out.
        k_clusters: Number of clusters.
        k_classes: Number of classes.

    Returns:
        Counts (h, k_clusters, k_classes), without the first axis for (n,) clusters.

    Raises:
        EvaluationError: The lengths differ, there is no sample, or a value is out of range.
    """
    clusters = _indices("clusters", clusters, k_clusters)
    labels = _indices("labels", labels, k_classes)
    if labels.ndim != 1 or clusters.ndim not in (1, 2) or len(clusters) != len(labels):
        raise EvaluationError(
            f"clusters {clusters.shape} do not go with labels {labels.shape}: "
            "one row of clusters and one label per sample are needed"
        )
    heads = clusters.reshape(len(clusters), -1)
    h = heads.shape[1]
    cell = (heads + np.arange(h) * k_clusters) * k_classes + labels[:, None]
    counts = np.bincount(cell.ravel(), minlength=h * k_clusters * k_classes).astype(np.int64)
    shape: tuple[int, ...] = (*clusters.shape[1:], k_clusters, k_classes)
    return counts.reshape(shape)


def one_to_one(counts: Ints) -> Ints:
    """Hungarian matching: the assignment of clusters to different classes with most agreement.

    Args:
        counts: (k_clusters, k_classes) counts.

    Returns:
        Class of each cluster, (k_clusters,); UNMATCHED for clusters in excess of the classes.
    """
    # costs most of a second to import, so only where it is used
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    mapping = np.full(len(counts), UNMATCHED, dtype=np.int64)
    mapping[rows] = columns
    return mapping


def many_to_one(counts: Ints) -> Ints:
    """Most frequent class of each cluster: the first on ties, class 0 for an empty cluster.

    Args:
        counts: (k_clusters, k_classes) counts.

    Returns:
        Class of each cluster, (k_clusters,).
    """
    mapping: Ints = np.argmax(counts, axis=1).astype(np.int64)
    return mapping


def identity(counts: Ints) -> Ints:
    """Cluster i is class i, as in a classifier; UNMATCHED for clusters in excess of the classes.

    Args:
        counts: (k_clusters, k_classes) counts.
    """
    k_clusters, k_classes = counts.shape
    mapping = np.arange(k_clusters, dtype=np.int64)
    mapping[k_classes:] = UNMATCHED
    return mapping


MATCHINGS = {"one_to_one": one_to_one, "many_to_one": many_to_one, "identity": identity}


def match(counts: Ints, matching: Matching) -> Ints:
    """Class of each cluster by the named rule."""
    return MATCHINGS[matching](counts)


def correct(counts: Ints, mapping: Ints) -> int:
    """Number of samples whose cluster maps to their class.

    Args:
        counts: (k_clusters, k_classes) counts of the samples to score; those that the mapping
            was made from may be others.
        mapping: Class of each cluster, (k_clusters,).
    """
    matched = np.flatnonzero(mapping != UNMATCHED)
    return int(counts[matched, mapping[matched]].sum())


def _indices(name: str, values: ArrayLike, limit: int) -> Ints:
    array = np.asarray(values)
    if array.size == 0:
        raise EvaluationError(f"{name}: no samples to score")
    if not np.issubdtype(array.dtype, np.integer):
        raise EvaluationError(f"{name}: integers are needed, got {array.dtype}")
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest >= limit:
        raise EvaluationError(
            f"{name}: values run from {lowest} to {highest}, allowed are 0 to {limit - 1}"
            + ("; leave samples without label out" if lowest < 0 and name == "labels" else "")
        )
    # numpy adds unsigned 64-bit and signed integers as floats
    return array.astype(np.int64)
