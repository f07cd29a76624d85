"""Scores of a segmentation, from the counts of pixels of each cluster and class.

Accuracy is over all scored pixels, not averaged over classes (docs/spec/images.md#evaluation). What
is summed is one k x classes matrix per image, so memory does not grow with the number of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.matching import UNMATCHED, EvaluationError, Ints, match
from iic.evaluate.metrics import accuracy
from iic.evaluate.protocol import Protocol, Watched
from iic.records.evaluation import ClassScores, SubHeadScores


@dataclass(frozen=True)
class MapProtocol(Protocol):
    """The images whose pixels are counted, and what each is used for; labels stand in the counts.

    Which pixels of an image count is the task's business: it leaves out those without a class.
    """

    @property
    def labelled(self) -> bool:
        """Always: a dataset of label maps has labels."""
        return True

    def watch(self, clusters: NDArray[np.integer], k_clusters: int, k_classes: int) -> Watched:
        """Pixel accuracy of each sub-head.

        Args:
            clusters: Counts of pixels, (n, h, k_clusters, k_classes).
            k_clusters: Number of clusters.
            k_classes: Number of classes.

        Raises:
            EvaluationError: The counts have another shape, or not one pixel is to be scored.
        """
        totals = Totals.of(clusters, self, k_clusters, k_classes)
        mappings = [match(of_head, self.matching) for of_head in totals.mapping]
        accuracies = [accuracy(*both) for both in zip(totals.mapping, mappings, strict=True)]
        scores = [accuracy(*both) for both in zip(totals.scoring, mappings, strict=True)]
        return Watched(np.array(scores), int(np.argmax(accuracies)))


class Totals(NamedTuple):
    """Sums of the counts over images, (h, k_clusters, k_classes)."""

    mapping: Ints
    """Over those that the mapping is made from."""
    scoring: Ints
    """Over those that are scored."""

    @classmethod
    def of(
        cls, counts: NDArray[np.integer], protocol: Protocol, k_clusters: int, k_classes: int
    ) -> Totals:
        """Sum counts (n, h, k_clusters, k_classes) of the protocol's images.

        Raises:
            EvaluationError: The counts have another shape, or not one pixel is to be scored.
        """
        expected = (len(protocol.images), k_clusters, k_classes)
        if counts.ndim != 4 or (counts.shape[0], *counts.shape[2:]) != expected:
            raise EvaluationError(
                f"counts of shape {counts.shape}, expected (images, sub-heads, clusters, classes) "
                f"with {expected[0]:,} images, {k_clusters} clusters and {k_classes} classes"
            )
        sums = []
        for use, rows in (("mapped from", protocol.mapping), ("scored", protocol.scoring)):
            total: Ints = counts[rows].sum(axis=0, dtype=np.int64)
            if not total.any():
                raise EvaluationError(f"not one labelled pixel is {use}: no image has a class")
            sums.append(total)
        return cls(*sums)


def map_scores(
    counts: NDArray[np.integer],
    losses: NDArray[np.float64] | None,
    protocol: Protocol,
    k_clusters: int,
    k_classes: int,
) -> list[SubHeadScores]:
    """Accuracy, mean intersection over union and each class, by sub-head.

    Args:
        counts: Pixels by image, sub-head, cluster and class, (n, h, k_clusters, k_classes).
        losses: Loss per sub-head, (h,), or None.
        protocol: Which images are mapped from and scored, and how clusters become classes.
        k_clusters: Number of clusters.
        k_classes: Number of classes.

    Raises:
        EvaluationError: The counts have another shape, or not one pixel is to be scored.
    """
    totals = Totals.of(counts, protocol, k_clusters, k_classes)
    apart = not np.array_equal(protocol.mapping, protocol.scoring)
    result = []
    for head, (to_map, to_score) in enumerate(zip(*totals, strict=True)):
        mapping = match(to_map, protocol.matching)
        classes = class_scores(to_score, mapping)
        unions = [scores.iou for scores in classes if scores.iou is not None]
        result.append(
            SubHeadScores(
                acc=accuracy(to_score, mapping),
                nmi=None,
                ari=None,
                loss=None if losses is None else float(losses[head]),
                mapping_acc=accuracy(to_map, mapping) if apart else None,
                mapping=mapping.tolist(),
                miou=float(np.mean(unions)),
                classes=classes,
            )
        )
    return result


def class_scores(counts: Ints, mapping: Ints) -> list[ClassScores]:
    """Accuracy and intersection over union of each class, in percent.

    Args:
        counts: (k_clusters, k_classes) pixels.
        mapping: Class of each cluster, (k_clusters,); `UNMATCHED` clusters are wrong everywhere.
    """
    k_classes = counts.shape[1]
    confusion = np.zeros((k_classes, k_classes), dtype=np.int64)
    for cluster, of_class in enumerate(mapping):
        if of_class != UNMATCHED:
            confusion[of_class] += counts[cluster]
    there = counts.sum(axis=0)
    hit = confusion.diagonal()
    union = there + confusion.sum(axis=1) - hit
    return [
        ClassScores(
            acc=100.0 * int(hit[label]) / int(there[label]) if there[label] else None,
            iou=100.0 * int(hit[label]) / int(union[label]) if union[label] else None,
        )
        for label in range(k_classes)
    ]


def map_protocol(plain: Protocol) -> MapProtocol:
    """The same images and matching, for counts of pixels."""
    return MapProtocol(
        images=plain.images,
        mapping=plain.mapping,
        scoring=plain.scoring,
        labels=None,
        matching=plain.matching,
    )
