"""Settings of Triplets and DeepCluster: features that k-means clusters (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.params.augmentation import AugmentationSettings
from iic.params.cost import (
    FORWARD,
    TRAINING,
    Cost,
    evaluated_images,
    feature_count,
    scheduled,
    trunk_macs,
)
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import MethodSettings, Problem
from iic.params.networks import NetworkSettings
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings


class FeatureSettings(MethodSettings):
    """What both have: IIC's trunk and transforms, and k-means of the evaluated images.

    k-means: k-means++ starts, the run of lowest inertia kept.
    """

    network: NetworkSettings
    augmentation: AugmentationSettings
    k: int = Field(ge=2)
    """Clusters of the evaluated images."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(256, ge=2)
    """Images in a batch."""
    restarts: int = Field(10, ge=1)
    """Starts of the clustering that is reported."""
    watch_restarts: int = Field(3, ge=1)
    """Starts of those that only watch the training, at each evaluation."""
    max_iterations: int = Field(300, ge=1)
    """Most iterations of each."""
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network, splits, batch and clusters fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from fit_problems(self.network, self.augmentation, dataset)
        classes, evaluated = len(dataset.classes), evaluated_images(self.evaluation, dataset)
        if not classes <= self.k <= evaluated:
            yield Problem(
                "k",
                f"{self.k} clusters for {classes} classes and {evaluated} evaluated images",
                f"{classes} to {evaluated}",
            )
        images = image_count(self.splits, dataset)
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps",
                "k-means gives no probabilities, which snapshots store",
                "none",
            )

    def _cost(
        self, dataset: Dataset, *, training: int, features: int, predicted: int, between: int = 0
    ) -> Cost:
        """Operations of one training; k-means and principal directions are not counted.

        Args:
            dataset: Entry of the catalogue.
            training: Multiplications with a weight that one training image takes in an epoch.
            features: Those of its features.
            predicted: Images whose features a prediction takes.
            between: Images whose features are computed before each epoch.
        """
        images = image_count(self.splits, dataset)
        steps = math.ceil(images / self.batch_images)
        predicting = FORWARD * features * predicted
        # features are computed once more for the inertia of the last and of the best epoch
        checkpoints = 2 if steps and self.schedule.epochs else 1
        whole = scheduled(
            self.schedule, self.compute, steps, TRAINING * training * images,
            predicting=predicting, finishing=predicting * checkpoints,
        )  # fmt: skip
        epochs = math.ceil(whole.steps / steps) if steps else 0
        evaluation = whole.evaluation + FORWARD * features * between * epochs
        return Cost(whole.training, evaluation, whole.steps, whole.precision)


class TripletSettings(FeatureSettings):
    """Settings of Triplets (`iic.methods.triplets.method`)."""

    outputs: int = Field(ge=2)
    """Length of the linear outputs. As many as `k`: the largest one is the cluster; more: k-means
    of the outputs."""
    margin: float | None = Field(None, gt=0)
    """In nats; null, as published, leaves the loss without a lower bound
    (`iic.methods.triplets.loss`)."""
    order: Literal["dataset", "interleaved", "shuffled"] = "dataset"
    """Of the anchors, as `PairSettings.order`; negatives are shuffled anew in each epoch."""
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=0.01)

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of one training: three images a triplet."""
        macs = trunk_macs(self.network) + feature_count(self.network) * self.outputs
        return self._cost(
            dataset, training=3 * macs, features=macs,
            predicted=evaluated_images(self.evaluation, dataset),
        )  # fmt: skip

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are at least as many outputs as clusters, and the rest fits."""
        yield from super().problems(dataset)
        if self.outputs < self.k:
            yield Problem(
                "outputs", f"{self.outputs} outputs for {self.k} clusters", f"at least {self.k}"
            )


class DeepClusterSettings(FeatureSettings):
    """Settings of DeepCluster (`iic.methods.deepcluster.method`)."""

    clusters: int = Field(ge=2)
    """Pseudo-classes; 10 times the classes in the paper's runs."""
    features: int = Field(4096, ge=1)
    """Length of a feature vector."""
    components: int = Field(256, ge=1)
    """Principal directions that are clustered, whitened."""
    directions_images: int | None = Field(20_000, ge=2)
    """Random images that the principal directions are found on; null or fewer: all."""
    evaluate_on: Literal["whitened", "principal"] = "whitened"
    """What is clustered at the end: whitened principal components, as for the pseudo-labels, or
    unscaled ones, which keep the distances of the features. Both have length 1."""
    pseudo_restarts: int = Field(1, ge=1)
    """Starts of the clustering before each epoch."""
    pseudo_iterations: int = Field(20, ge=1)
    """Most iterations of each, as in the official code."""
    optimiser: MomentumSettings = MomentumSettings(
        learning_rate=0.05, momentum=0.9, weight_decay=1e-5
    )

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of one training: features of all images before each epoch among them."""
        macs = trunk_macs(self.network) + feature_count(self.network) * self.features
        images, evaluated = (
            count + min(self.directions_images or count, count)
            for count in (
                image_count(self.splits, dataset), evaluated_images(self.evaluation, dataset)
            )
        )  # fmt: skip
        return self._cost(
            dataset, training=macs + self.features * self.clusters, features=macs,
            predicted=evaluated, between=images,
        )  # fmt: skip

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are images for so many pseudo-classes, and the rest fits."""
        yield from super().problems(dataset)
        images = image_count(self.splits, dataset)
        if 0 < images < self.clusters:
            yield Problem(
                "clusters",
                f"{self.clusters} clusters, but there are {images} images to train on",
                f"at most {images}",
            )
        if self.components > self.features:
            yield Problem(
                "components",
                f"{self.components} principal directions of {self.features} features",
                f"at most {self.features}",
            )
