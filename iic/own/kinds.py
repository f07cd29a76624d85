"""What differs between images and features: settings, task, network, rival."""

from __future__ import annotations

import math
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
from iic.networks.two_head import ClusteringNetwork
from iic.own.choice import FEWEST_PAIRS, MOST_REPEATS, Wishes, choose
from iic.own.frozen import Frozen, freeze
from iic.own.rivals import kmeans_on_points
from iic.own.vectors import (
    Pairs,
    VectorSettings,
    VectorTask,
    load_network,
    neighbours,
    network_probabilities,
    train_vectors,
)
from iic.params.learning_rates import LearningRateSettings
from iic.params.training import HeadSettings, OptimiserSettings, PairSettings, ScheduleSettings

NEIGHBOURS = 10
"""Nearest neighbours that make pairs of features."""
VECTOR_BATCH = 1000
Tensors = Mapping[str, NDArray[Any]]


class Network(Protocol):
    """A network in evaluation mode."""

    network: ClusteringNetwork

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights and statistics by name."""

    def probabilities(self, points: Any) -> NDArray[np.float32]:
        """Cluster probabilities by each sub-head, (n, h, k)."""


class Kind(Protocol):
    """The data of a fit, and how they are trained on."""

    @property
    def rival(self) -> str:
        """What stands beside IIC."""

    @property
    def points(self) -> NDArray[Any]:
        """What is clustered: images (n, C, S, S) or features (n, d)."""

    def choose(self, k: int, wishes: Wishes, threads: int) -> Any:
        """Settings, but for precision and length."""

    def task(self, context: RunContext[Any], device: torch.device) -> Task[Any]:
        """The task of a training."""

    def train(self, context: RunContext[Any]) -> Outcome:
        """Train by the engine."""

    def network(self, settings: Any, weights: Tensors) -> Network:
        """The trained network, its answers independent of company."""

    def rivals(self, k: int, threads: int) -> NDArray[np.int64]:
        """Clusters by the rival, (n,)."""


@dataclass(frozen=True)
class ImageKind:
    """Images (n, C, S, S)."""

    points: NDArray[np.uint8]
    rival: str = "k-means on pixels"

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


class FeatureNetwork:
    """A trained network on features; it has no BatchNorm to freeze."""

    def __init__(self, settings: VectorSettings, tensors: Tensors) -> None:
        self.network = load_network(settings, tensors)

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights by name."""
        return {name: own.numpy().copy() for name, own in self.network.state_dict().items()}

    def probabilities(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cluster probabilities of features (n, d) by each sub-head, (n, h, k)."""
        return network_probabilities(self.network, points)


@dataclass(frozen=True)
class FeatureKind:
    """Features (n, d), paired with their nearest neighbours."""

    points: NDArray[np.float32]
    rival: str = "k-means on the same features"

    @cached_property
    def pairs(self) -> Pairs:
        """Each with its nearest neighbours."""
        return Pairs(self.points, self.points, neighbours(self.points, NEIGHBOURS))

    def choose(self, k: int, wishes: Wishes, threads: int) -> VectorSettings:
        """Layers and heads for so many features."""
        count, dimensions = self.points.shape
        images = math.ceil(count / math.ceil(count / (wishes.batch or VECTOR_BATCH)))
        repeats = wishes.repeats or min(MOST_REPEATS, max(2, math.ceil(FEWEST_PAIRS / images)))
        return VectorSettings(
            dimensions=dimensions,
            sub_heads=wishes.sub_heads or 10,
            head_a=HeadSettings(k=max(k, min(5 * k, count // 2))),
            head_b=HeadSettings(k=k),
            pairs=PairSettings(batch_pairs=images * repeats, repeats=repeats, order="shuffled"),
            optimiser=OptimiserSettings(learning_rate=wishes.learning_rate or 4e-3),
            schedule=ScheduleSettings(
                epochs=wishes.epochs or 1, learning_rate=LearningRateSettings(cosine_from=0.4)
            ),
            threads=wishes.threads or threads,
        )

    def task(self, context: RunContext[Any], device: torch.device) -> Task[Any]:
        """IIC on pairs of features."""
        return VectorTask.of(self.pairs)(context, device)

    def train(self, context: RunContext[Any]) -> Outcome:
        """By the same engine."""
        return train_vectors(context, self.pairs)

    def network(self, settings: VectorSettings, weights: Tensors) -> FeatureNetwork:
        """As it was trained."""
        return FeatureNetwork(settings, weights)

    def rivals(self, k: int, threads: int) -> NDArray[np.int64]:
        """k-means on the same features."""
        return kmeans_on_points(self.points, k, threads)


def loaded(settings: Settings | VectorSettings, tensors: Tensors) -> Network:
    """The network of a finished model."""
    if isinstance(settings, VectorSettings):
        return FeatureNetwork(settings, tensors)
    return Frozen(settings, tensors)
