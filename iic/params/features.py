"""Settings that methods share whose features k-means clusters (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from iic.params.augmentation import AugmentationSettings
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import MethodSettings, Problem
from iic.params.networks import NetworkSettings
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, ScheduleSettings


class ClusteredFeatureSettings(MethodSettings):
    """What they have in common: images that are trained on, and k-means of the evaluated ones.

    k-means: k-means++ starts, the run of lowest inertia kept.
    """

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
        """Whether splits, batch and clusters fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
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
        self,
        dataset: Dataset,
        *,
        training: int,
        features: int,
        predicted: int,
        between: int = 0,
        turns: int = 1,
    ) -> Cost:
        """Operations of one training; k-means and principal directions are not counted.

        Args:
            dataset: Entry of the catalogue.
            training: Operations that one training image takes in an epoch.
            features: Those of its features.
            predicted: Images whose features a prediction takes.
            between: Images whose features are computed before each epoch.
            turns: Optimiser steps that each batch takes.
        """
        images = image_count(self.splits, dataset)
        steps = turns * math.ceil(images / self.batch_images)
        predicting = features * predicted
        # features are computed once more for the inertia of the last and of the best epoch
        checkpoints = 2 if steps and self.schedule.epochs else 1
        cost = scheduled(
            self.schedule,
            self.compute,
            steps,
            training * images,
            predicting=predicting,
            finishing=predicting * checkpoints,
        )
        epochs = math.ceil(cost.steps / steps) if steps else 0
        return replace(cost, evaluation=cost.evaluation + features * between * epochs)


class FeatureSettings(ClusteredFeatureSettings):
    """The same with IIC's trunk and transforms."""

    network: NetworkSettings
    augmentation: AugmentationSettings

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network and transforms fit together too."""
        yield from super().problems(dataset)
        yield from fit_problems(self.network, self.augmentation, dataset)
