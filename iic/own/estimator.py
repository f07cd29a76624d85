"""`IIC`: the method in scikit-learn's style, for images, folders and vectors."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from iic.methods.iic.method import Settings, train
from iic.own.answers import alignment, answers
from iic.own.choice import Wishes, choose, choose_vectors, working_side
from iic.own.errors import OwnDataError
from iic.own.frozen import freeze
from iic.own.inputs import image_listing, is_images, pixels_like
from iic.own.kinds import loaded
from iic.own.reading import scan
from iic.own.training import context_of, prepared
from iic.own.vectors import (
    Maker,
    Pairs,
    VectorSettings,
    neighbours,
    train_vectors,
)
from iic.params.training import ScheduleSettings
from iic.provenance.machine import usable_processors

REPEATS = 4
"""Pairs of each vector in a batch."""
STEPS = 500
"""Optimiser steps where neither epochs nor anything else is asked for."""


class IIC(ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Invariant Information Clustering (Ji, Henriques and Vedaldi, ICCV 2019).

    X may be a folder, a zip, a listing or a single image (a path), a list of paths, images
    (n, H, W), (n, H, W, C) or (n, C, H, W) as numpy array or torch tensor, or vectors (n, d).
    Pairs of images are made by random crops, rotations and jitter; pairs of vectors are given, made
    by `partner`, or nearest neighbours.

    Args:
        n_clusters: Clusters.
        epochs: Passes over the data; None for as many as make 500 steps.
        partner: For vectors: ``partner(rows, generator) -> rows`` makes the second of each pair.
        n_neighbors: For vectors without partners: how many neighbours make pairs.
        sub_heads: Independently started heads; the one of lowest loss is reported.
        learning_rate: Of Adam, at its highest.
        batch_size: Distinct samples in a batch.
        size: Working size of images in pixels; None to choose by the images.
        threads: CPU threads; None for all. The number changes the last bits.
        random_state: Seed, `numpy.random.RandomState`, or None for another clustering each time.

    Attributes:
        labels_: Cluster of each sample, (n,).
        agreement_: Share of sub-heads that agree on it, (n,).
        n_features_in_: Numbers in a vector, where vectors were fitted.
        n_features_out_: Numbers in a row of `transform`.
    """

    settings_: Settings | VectorSettings

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        epochs: int | None = None,
        partner: Maker | None = None,
        n_neighbors: int = 10,
        sub_heads: int = 10,
        learning_rate: float = 4e-3,
        batch_size: int = 350,
        size: int | None = None,
        threads: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.epochs = epochs
        self.partner = partner
        self.n_neighbors = n_neighbors
        self.sub_heads = sub_heads
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.size = size
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, X_partner: Any = None) -> Self:
        """Cluster X.

        Args:
            X: Images or vectors.
            y: Ignored, as in every clustering; but of the shape of vectors X it is `X_partner`.
            X_partner: For vectors: the second of each pair, of the shape of X.

        Raises:
            OwnDataError: Images that cannot be read; fewer samples than clusters.
            ValueError: Vectors with NaN, or of another shape.
        """
        if self.n_clusters < 2:
            raise OwnDataError(f"n_clusters={self.n_clusters}: at least 2 are needed")
        if X_partner is None and getattr(y, "ndim", 1) == 2 and y.shape == np.shape(X):
            X_partner = y
        images = is_images(X)
        if images and (X_partner is not None or self.partner is not None):
            raise OwnDataError(
                "partners are for vectors: images get theirs by transforms\n"
                "  remedy: X.reshape(len(X), -1), to cluster images as vectors"
            )
        probabilities = self._fit_images(X) if images else self._fit_vectors(X, X_partner)
        self.alignment_ = alignment(probabilities, self.sub_head_)
        said = answers(probabilities, self.sub_head_, self.alignment_)
        self.labels_, self.agreement_ = said.clusters, said.agreement
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The cluster of each sample, (n,)."""
        clusters: NDArray[np.int64] = self.predict_proba(X).argmax(axis=1)
        return clusters

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probability of each cluster, (n, n_clusters)."""
        return self._probabilities(X)[:, self.sub_head_]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Features that the clusters are made from, (n, n_features_out_)."""
        points = self._checked(X)
        return loaded(self.settings_, self.tensors_).features(points)

    def score(self, X: Any, y: Any = None) -> float:
        """Adjusted Rand index against y; without y, the mean agreement of sub-heads."""
        probabilities = self._probabilities(X)
        said = answers(probabilities, self.sub_head_, self.alignment_)
        if y is None:
            return float(said.agreement.mean())
        return float(adjusted_rand_score(y, said.clusters))

    def _probabilities(self, X: Any) -> NDArray[np.float32]:
        points = self._checked(X)
        return loaded(self.settings_, self.tensors_).probabilities(points)

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        if isinstance(self.settings_, VectorSettings):
            return validate_data(self, X, dtype=np.float32, reset=False)
        channels = self.settings_.augmentation.image_channels
        return pixels_like(image_listing(X, self.top_), self.side_, channels)

    def _fit_images(self, X: Any) -> NDArray[np.float32]:
        listed = image_listing(X)
        self.top_ = listed.top
        scanned = scan(listed)
        channels = 3 if scanned.has_colour() else 1
        wishes = self._wishes()
        self.side_ = working_side(scanned.side, channels, wishes)
        pixels = pixels_like(listed, self.side_, channels)
        _enough(len(pixels), self.n_clusters)
        chosen = choose(len(pixels), self.side_, channels, self.n_clusters, wishes, self._threads())
        settings = chosen.model_copy(update=self._length(len(pixels), chosen))
        tensors = self._train(settings, pixels)
        with torch.random.fork_rng(devices=[]):
            frozen = freeze(settings, tensors, pixels)
            self.settings_, self.tensors_ = settings, frozen.tensors
            self.n_features_out_ = frozen.features(pixels[:1]).shape[1]
            return frozen.probabilities(pixels)

    def _fit_vectors(self, X: Any, X_partner: Any) -> NDArray[np.float32]:
        points = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        _enough(len(points), self.n_clusters)
        pairs = self._pairs(points, X_partner)
        wishes, threads = self._wishes().model_copy(update={"repeats": REPEATS}), self._threads()
        count, dimensions = points.shape
        chosen = choose_vectors(count, dimensions, self.n_clusters, wishes, threads)
        # at a constant rate: with a falling one, few passes leave clusters empty
        chosen = chosen.model_copy(update={"schedule": ScheduleSettings(epochs=1)})
        settings = chosen.model_copy(update=self._length(len(points), chosen))
        self.tensors_ = self._train(settings, points, pairs)
        self.settings_ = settings
        self.n_features_out_ = settings.hidden[-1]
        return loaded(settings, self.tensors_).probabilities(points)

    def _pairs(self, points: NDArray[np.float32], X_partner: Any) -> Pairs:
        if X_partner is not None:
            partners = np.ascontiguousarray(X_partner, dtype=np.float32)
            if partners.shape != points.shape or not np.isfinite(partners).all():
                raise ValueError(
                    f"X_partner of shape {partners.shape}: finite and of the shape of X, "
                    f"{points.shape}, is needed"
                )
            return Pairs(points, partners, np.arange(len(points))[:, None])
        if self.partner is not None:
            return Pairs(points, make=self.partner)
        return Pairs(points, points, neighbours(points, self.n_neighbors))

    def _wishes(self) -> Wishes:
        return Wishes(
            side=self.size,
            learning_rate=self.learning_rate,
            sub_heads=self.sub_heads,
            batch=self.batch_size,
        )

    def _length(self, count: int, settings: Settings | VectorSettings) -> dict[str, Any]:
        """Both heads with as many passes as are asked for; all of them are one epoch."""
        steps = math.ceil(count / settings.pairs.batch_images)
        passes = self.epochs or math.ceil(STEPS / steps)
        schedule = settings.schedule.model_copy(update={"epochs": 1})
        changes: dict[str, Any] = {"schedule": schedule}
        for name in ("head_a", "head_b"):
            changes[name] = getattr(settings, name).model_copy(update={"passes": passes})
        return changes

    def _train(
        self, settings: Any, points: NDArray[Any], pairs: Pairs | None = None
    ) -> dict[str, NDArray[Any]]:
        seed = self.random_state
        if not isinstance(seed, int):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
            context: Any = context_of(prepared(points), settings, seed, Path(folder), "", False)
            outcome = train(context) if pairs is None else train_vectors(context, pairs)
        assert outcome.tensors is not None and outcome.last.losses is not None
        self.sub_head_ = int(np.argmin(outcome.last.losses))
        return {name.removeprefix("last."): own for name, own in outcome.tensors.items()}

    def _threads(self) -> int:
        return min(self.threads or usable_processors(), usable_processors())


def _enough(count: int, k: int) -> None:
    if count < k:
        raise OwnDataError(f"n_samples={count}: fewer than n_clusters={k}")
