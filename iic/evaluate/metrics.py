"""Accuracy, NMI and ARI, all in percent.

scikit-learn is imported by the functions that need it: a training process, which only watches
accuracy, never loads it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iic.evaluate.matching import Ints, contingency, correct, match
from iic.records.evaluation import Matching


def accuracy(counts: Ints, mapping: Ints) -> float:
    """Share of samples whose cluster maps to their class, over all samples, in percent.

    Args:
        counts: (k_clusters, k_classes) counts of the samples to score.
        mapping: Class of each cluster, (k_clusters,).
    """
    return 100.0 * correct(counts, mapping) / int(counts.sum())


def accuracy_per_sub_head(
    clusters: ArrayLike,
    labels: ArrayLike,
    k_clusters: int,
    k_classes: int,
    matching: Matching = "one_to_one",
) -> NDArray[np.float64]:
    """Accuracy of every sub-head on the samples that it is matched on, in percent.

    Args:
        clusters: Cluster per sample and sub-head, integers (n, h), or (n,) for one.
        labels: Class per sample, integers (n,).
        k_clusters: Number of clusters.
        k_classes: Number of classes.
        matching: Hungarian, or each cluster to its most frequent class.

    Returns:
        (h,) accuracies.

    Raises:
        EvaluationError: The lengths differ, there is no sample, or a value is out of range.
    """
    counts = contingency(clusters, labels, k_clusters, k_classes)
    per_head = counts.reshape(-1, k_clusters, k_classes)
    return np.array([accuracy(of_head, match(of_head, matching)) for of_head in per_head])


def nmi(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Normalised mutual information of clusters (n,) and labels (n,) in percent.

    Normalised by the arithmetic mean of the two entropies.
    """
    from sklearn.metrics import normalized_mutual_info_score

    score = normalized_mutual_info_score(labels, clusters, average_method="arithmetic")
    return 100.0 * float(score)


def ari(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Adjusted Rand index of clusters (n,) and labels (n,) in percent; negative below chance."""
    from sklearn.metrics import adjusted_rand_score

    return 100.0 * float(adjusted_rand_score(labels, clusters))
