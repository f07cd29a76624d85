"""What differs between images and features: settings, task, network, rival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from iic.engine.context import Outcome, RunContext
from iic.engine.task import Task
from iic.methods.iic.method import Settings, train
from iic.methods.iic.task import ClusteringTask
from iic.own.choice import Wishes, choose, choose_vectors
from iic.own.frozen import Frozen, freeze
from iic.own.network import TrainedNetwork
from iic.own.rivals import kmeans_on_points
from iic.own.vectors import (
    Pairs,
    VectorNetwork,
    VectorSettings,
    VectorTask,
    neighbours,
    train_vectors,
)

NEIGHBOURS = 10
"""Nearest neighbours that make pairs of features."""
Tensors = Mapping[str, NDArray[Any]]


class Kind(Protocol):
    """The data of a fit, and how they are trained on."""

    @property
    def rival(self) -> str:
        """What stands beside IIC."""

    @property
    def points(self) -> NDArray[Any]:
        """What is clustered: images (n, C, S, S) or features (n, d)."""

    def part(self, rows: slice) -> Kind:
        """Some of the points."""

    def choose(self, k: int, wishes: Wishes, threads: int) -> Any:
        """Settings, but for precision and length."""

    def task(self, context: RunContext[Any], device: torch.device) -> Task[Any]:
        """The task of a training."""

    def train(self, context: RunContext[Any]) -> Outcome:
        """Train by the engine."""

    def network(self, settings: Any, weights: Tensors) -> TrainedNetwork:
        """The trained network, its answers independent of company."""

    def rivals(self, k: int, threads: int) -> NDArray[np.int64]:
        """Clusters by the rival, (n,)."""


@dataclass(frozen=True)
class ImageKind:
    """Images (n, C, S, S)."""

    points: NDArray[np.uint8]
    rival: str = "k-means on pixels"

    def part(self, rows: slice) -> ImageKind:
        """Some of the images."""
        return ImageKind(self.points[rows])

    def choose(self, k: int, wishes: Wishes, threads: int) -> Settings:
        """The fast recipe."""
        count, channels, side = self.points.shape[:3]
        return choose(count, side, channels, k, wishes, threads)

    def task(self, context: RunContext[Any], device: torch.device) -> Task[Any]:
        """IIC on images."""
        return ClusteringTask(context, device)

    def train(self, context: RunContext[Any]) -> Outcome:
        """As a row of a table is trained."""
        return train(context)

    def network(self, settings: Settings, weights: Tensors) -> Frozen:
        """With the statistics of all images."""
        return freeze(settings, weights, self.points)

    def rivals(self, k: int, threads: int) -> NDArray[np.int64]:
        """k-means on pixels."""
        return kmeans_on_points(self.points.reshape(len(self.points), -1), k, threads, 255.0)


@dataclass(frozen=True)
class FeatureKind:
    """Features (n, d), paired with their nearest neighbours."""

    points: NDArray[np.float32]
    rival: str = "k-means on the same features"

    def part(self, rows: slice) -> FeatureKind:
        """Some of the features."""
        return FeatureKind(np.ascontiguousarray(self.points[rows]))

    @cached_property
    def pairs(self) -> Pairs:
        """Each with its nearest neighbours."""
        return Pairs(self.points, self.points, neighbours(self.points, NEIGHBOURS))

    def choose(self, k: int, wishes: Wishes, threads: int) -> VectorSettings:
        """Layers and heads for so many features."""
        count, dimensions = self.points.shape
        return choose_vectors(count, dimensions, k, wishes, threads)

    def task(self, context: RunContext[Any], device: torch.device) -> Task[Any]:
        """IIC on pairs of features."""
        return VectorTask.of(self.pairs)(context, device)

    def train(self, context: RunContext[Any]) -> Outcome:
        """By the same engine."""
        return train_vectors(context, self.pairs)

    def network(self, settings: VectorSettings, weights: Tensors) -> VectorNetwork:
        """As it was trained."""
        return VectorNetwork(settings, weights)

    def rivals(self, k: int, threads: int) -> NDArray[np.int64]:
        """k-means on the same features."""
        return kmeans_on_points(self.points, k, threads)


def loaded(settings: Settings | VectorSettings, tensors: Tensors) -> TrainedNetwork:
    """The network of a finished model."""
    if isinstance(settings, VectorSettings):
        return VectorNetwork(settings, tensors)
    return Frozen(settings, tensors)
