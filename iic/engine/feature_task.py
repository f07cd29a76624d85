"""Tasks that learn features of images and have them clustered by k-means."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from iic.engine.clustering.kmeans import Clustering, kmeans
from iic.engine.image_task import ImageTask
from iic.engine.seeding import derive
from iic.engine.task import N, Predictions

Points = npt.NDArray[np.float32]


class Restarts(Protocol):
    """Settings of k-means, as `iic.params.features.FeatureSettings` has them."""

    @property
    def restarts(self) -> int:
        """Starts of the clustering that is reported."""

    @property
    def watch_restarts(self) -> int:
        """Starts of those that only watch the training."""

    @property
    def max_iterations(self) -> int:
        """Most iterations of each."""


class FeatureTask(ImageTask[N]):
    """A task whose network gives features, (n, d) from `evaluate`.

    There is one "sub-head", k-means on the features of the evaluated images, and its loss is the
    inertia.
    """

    PASS = "features"
    _clustered: tuple[Points, Clustering] | None = None

    @property
    def clustering(self) -> Restarts:
        """Settings of k-means."""
        restarts: Restarts = self.settings
        return restarts

    def points(self) -> Points:
        """Points that stand for the evaluated images in k-means, (n, d): here their features."""
        return np.concatenate([part.cpu().numpy() for part in self.evaluations(self.evaluated)])

    def predict(self, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1); k-means has no probabilities.

        They are asked for once, at the end: that k-means has all its restarts, those that watch the
        training have few.
        """
        settings, points = self.clustering, self.points()
        restarts = settings.restarts if probabilities else settings.watch_restarts
        self._clustered = points, self._cluster(points, restarts)
        return Predictions(self._clustered[1].clusters[:, None], None)

    def selection_losses(self) -> tuple[float, ...] | None:
        """Inertia of the clusters of the evaluated images under the present weights."""
        points = self.points()
        if self._clustered is not None and np.array_equal(self._clustered[0], points):
            return (self._clustered[1].inertia,)
        # earlier weights: the same clusters once more as when the training was watched
        return (self._cluster(points, self.clustering.watch_restarts).inertia,)

    def _cluster(self, points: Points, restarts: int) -> Clustering:
        return kmeans(
            points,
            self.k,
            seed=derive(self.seed, "kmeans"),
            threads=self.settings.threads,
            restarts=restarts,
            max_iterations=self.clustering.max_iterations,
        )
