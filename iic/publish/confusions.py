"""What a clustering takes for something else: errors counted by true class and class given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Errors:
    """What one sub-head says of n images, its clusters matched to classes.

    Args:
        labels: Classes of the images, (n,).
        predicted: Classes of their clusters, (n,).
    """

    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the class is another than the true one, (n,)."""
        wrong: NDArray[np.bool_] = self.labels != self.predicted
        return wrong

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100.0 * (1 - float(self.wrong.mean()))

    def confusions(self) -> list[tuple[tuple[int, int], int]]:
        """(true class, class it was taken for) and how many images, the most frequent first."""
        wrong = self.wrong
        pairs = zip(self.labels[wrong].tolist(), self.predicted[wrong].tolist(), strict=True)
        return Counter(pairs).most_common()


def hardest(every: list[Errors]) -> int | None:
    """The class with the most errors, over all that is given; None without an error."""
    counts = Counter(label for errors in every for label in errors.labels[errors.wrong].tolist())
    return min(counts, key=lambda label: (-counts[label], label), default=None)
