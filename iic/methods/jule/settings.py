"""Settings of JULE, and its cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from iic.methods.jule.network_settings import JULENetworkSettings
from iic.params.base import Model, Problem
from iic.params.clusterings import ClusteringSettings
from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.fit import image_problems
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count


class GraphSettings(Model):
    """The graph of nearest neighbours, and how clusters are merged in it."""

    neighbours: int = Field(20, ge=1)
    """Nearest neighbours of each image."""
    local: int = Field(5, ge=1)
    """Clusters around each one whose affinities are looked at before a pair is merged."""
    rate: float = Field(0.9, gt=0, le=1)
    """Share of the clusters that one round merges away: 0.9 as the released code recommends, but
    0.2 for faces."""


class TripletSettings(Model):
    """The triplet loss."""

    margin: float = Field(0.2, gt=0)
    """By which images of other clusters shall be farther away, as squared distances."""
    weight: float = Field(1.0, gt=0)
    """Of the squared distance within a cluster."""
    negatives: int = Field(20, ge=1)
    """Images of other clusters for each pair, at most."""


class JULESettings(ClusteringSettings):
    """Settings of JULE; `schedule.epochs` are the most, should merging not end before."""

    gives_probabilities: ClassVar[bool] = False

    encoder: JULENetworkSettings
    batch_images: int = Field(100, ge=2)
    graph: GraphSettings = GraphSettings()
    triplets: TripletSettings = TripletSettings()
    round_epochs: int = Field(20, ge=1)
    """Epochs of training between two rounds of merging."""
    optimiser: MomentumSettings = MomentumSettings(
        learning_rate=0.01, momentum=0.9, weight_decay=5e-5
    )
    decay: float = Field(1e-4, ge=0)
    """The learning rate is divided by (1 + decay * steps) ** power."""
    power: float = Field(0.75, ge=0)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training that does not end early; merging is not counted."""
        passed = count(NetworkPass("iic.methods.jule.network.JULENetwork", self.encoder))
        images = image_count(self.splits, dataset)
        evaluated = evaluated_images(self.evaluation, dataset)
        cost = self._scheduled(
            dataset, training=passed.training, predicting=passed.forward * evaluated
        )
        epochs, every = self.schedule.epochs, self.schedule.evaluate_every
        rounds = epochs // self.round_epochs
        predictions = 2 + epochs // every + bool(epochs % every)
        pixels = dataset.image.height * dataset.image.width * dataset.image.channels
        features = self.encoder.features
        return replace(
            cost,
            evaluation=cost.evaluation + rounds * images * passed.forward,
            clustering=2.0 * images**2 * (pixels + rounds * features)
            + 2.0 * evaluated**2 * predictions * features,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits the dataset, and there are enough images for neighbours and clusters."""
        yield from super().problems(dataset)
        yield from image_problems("encoder", self.encoder, dataset)
        images = min(image_count(self.splits, dataset), evaluated_images(self.evaluation, dataset))
        if 0 < images <= self.graph.neighbours:
            yield Problem(
                "graph.neighbours",
                f"{self.graph.neighbours} neighbours of each of {images} images",
                f"1 to {images - 1}",
            )
        # each image and its nearest neighbour are in one cluster from the start
        if 0 < images < 2 * self.k:
            yield Problem(
                "k",
                f"{self.k} clusters of {images} images, which have at most {images // 2} clusters "
                "before the first merging",
                f"at most {images // 2}",
            )
