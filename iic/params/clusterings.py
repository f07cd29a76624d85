"""Settings that methods share whose network gives the clusters, or which merge images (torch-free).

Methods whose features k-means clusters have `iic.params.features`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings, Problem
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, ScheduleSettings


class ClusteringSettings(MethodSettings):
    """Images of some splits are trained on in batches, and k clusters come out."""

    k: int = Field(ge=2)
    """Clusters."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(128, ge=2)
    """Images in a batch."""
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether splits, batch and clusters fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        classes, images = len(dataset.classes), image_count(self.splits, dataset)
        if not classes <= self.k <= max(images, classes):
            yield Problem(
                "k",
                f"{self.k} clusters for {classes} classes and {images} training images",
                f"{classes} to {images}",
            )
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )

    def _cost(self, dataset: Dataset, *, training: float, predicting: float) -> Cost:
        """Operations of one training.

        Args:
            dataset: Entry of the catalogue.
            training: Operations that one training image takes in an epoch.
            predicting: Those of one evaluated image in a prediction.
        """
        images = image_count(self.splits, dataset)
        return scheduled(
            self.schedule,
            self.compute,
            math.ceil(images / self.batch_images),
            training * images,
            predicting=predicting * evaluated_images(self.evaluation, dataset),
            finishing=0.0,
        )
