"""Which images a run is scored on, and its accuracy while it trains.

The unsupervised experiments match and score on the same images; overclustering finds the mapping on
the training labels and scores the test images (docs/spec/images.md#evaluation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.matching import Ints, contingency, match
from iic.evaluate.metrics import accuracy
from iic.params.evaluation import EvaluationSettings
from iic.records.evaluation import Matching


class Watched(NamedTuple):
    """Accuracies at one moment of training, in percent."""

    scores: NDArray[np.float64]
    """Of each sub-head on the images to score, (h,)."""
    chosen: int
    """Sub-head of highest accuracy on the images that the mapping is made from: the one whose
    score decides which epoch the released code keeps."""


@dataclass(frozen=True)
class Protocol:
    """The images that get assignments, and what each is used for.

    Args:
        images: Their indices in the dataset, ascending, (n,).
        mapping: Whether the mapping is made from it, booleans (n,).
        scoring: Whether it is scored, booleans (n,).
        labels: Its class, -1 where it has none, (n,); None where no image has one.
        matching: How clusters become classes.
    """

    images: Ints
    mapping: NDArray[np.bool_]
    scoring: NDArray[np.bool_]
    labels: Ints | None
    matching: Matching

    @property
    def labelled(self) -> bool:
        """Whether there are labels to watch."""
        return self.labels is not None

    def watch(self, clusters: NDArray[np.integer], k_clusters: int, k_classes: int) -> Watched:
        """Accuracy of each sub-head of `clusters` (n, h).

        Raises:
            EvaluationError: There is no image to score, or a value is out of range.
        """
        assert self.labels is not None
        labels = self.labels
        counts = contingency(clusters[self.mapping], labels[self.mapping], k_clusters, k_classes)
        mappings = [match(of_head, self.matching) for of_head in counts]
        pairs = list(zip(counts, mappings, strict=True))
        accuracies = np.array([accuracy(of_head, mapping) for of_head, mapping in pairs])
        scores = accuracies
        if not np.array_equal(self.mapping, self.scoring):
            scored = contingency(
                clusters[self.scoring], labels[self.scoring], k_clusters, k_classes
            )
            both = zip(scored, mappings, strict=True)
            scores = np.array([accuracy(of_head, mapping) for of_head, mapping in both])
        return Watched(scores, int(accuracies.argmax()))


def protocol(
    settings: EvaluationSettings,
    splits: Mapping[str, slice],
    number: int,
    labels: Ints | None,
) -> Protocol:
    """What `settings` mean for a dataset.

    Args:
        settings: Splits and matching.
        splits: Where each split lies among the images.
        number: Images of the dataset.
        labels: Class of every image, -1 where it has none, (number,); None without any.
    """
    labelled = np.ones(number, dtype=np.bool_) if labels is None else labels >= 0
    to_map = _rows(settings.mapping, splits, number) & labelled
    to_score = _rows(settings.test, splits, number) & labelled
    images = np.flatnonzero(to_map | to_score)
    return Protocol(
        images=images,
        mapping=to_map[images],
        scoring=to_score[images],
        labels=None if labels is None else labels[images],
        matching=settings.matching,
    )


def _rows(names: Sequence[str], splits: Mapping[str, slice], number: int) -> NDArray[np.bool_]:
    rows = np.full(number, not names)
    for name in names:
        rows[splits[name]] = True
    return rows
