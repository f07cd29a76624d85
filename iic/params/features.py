"""Settings that methods share whose features k-means clusters (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from iic.params.augmentation import AugmentationSettings
from iic.params.clusterings import ClusteringSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import Problem
from iic.params.networks import NetworkSettings
from iic.params.splits import image_count


class ClusteredFeatureSettings(ClusteringSettings):
    """What they have in common: k-means of the evaluated images' features.

    k-means: k-means++ starts, the run of lowest inertia kept.
    """

    gives_probabilities: ClassVar[bool] = False

    batch_images: int = Field(256, ge=2)
    """Images in a batch."""
    restarts: int = Field(10, ge=1)
    """Starts of the clustering that is reported."""
    watch_restarts: int = Field(3, ge=1)
    """Starts of those that only watch the training, at each evaluation."""
    max_iterations: int = Field(300, ge=1)
    """Most iterations of each."""

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
        images, predicting = image_count(self.splits, dataset), features * predicted
        cost = self._scheduled(
            dataset,
            training=training,
            predicting=predicting,
            # once more for the inertia of the last and of the best epoch
            finishing=predicting * (2 if images and self.schedule.epochs else 1),
            turns=turns,
        )
        steps = turns * math.ceil(images / self.batch_images)
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
