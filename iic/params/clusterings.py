"""Settings of methods that train on images in batches and give k clusters (torch-free).

`iic.params.features` has those of methods whose features k-means clusters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings, Problem
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, ScheduleSettings


class ClusteringSettings(MethodSettings):
    """Images of some splits are trained on in batches, and k clusters come out."""

    gives_probabilities: ClassVar[bool] = True
    """Whether clusters come with the probabilities that snapshots store."""

    k: int = Field(ge=2)
    """Clusters of the evaluated images."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(128, ge=2)
    """Images in a batch."""
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether splits, batch, clusters and snapshots fit the dataset and the method."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        classes, images = len(dataset.classes), image_count(self.splits, dataset)
        evaluated = evaluated_images(self.evaluation, dataset)
        most = min(images, evaluated) if images else evaluated
        if not classes <= self.k <= most:
            yield Problem(
                "k",
                f"{self.k} clusters for {classes} classes and {evaluated} evaluated images, with "
                f"{images} to train on",
                f"{classes} to {most}",
            )
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )
        if self.schedule.snapshot_steps and not self.gives_probabilities:
            yield Problem(
                "schedule.snapshot_steps",
                "the method gives no probabilities, which snapshots store",
                "none",
            )

    def _scheduled(
        self,
        dataset: Dataset,
        *,
        training: float,
        predicting: float,
        finishing: float = 0.0,
        turns: int = 1,
    ) -> Cost:
        """Operations of one training.

        Args:
            dataset: Entry of the catalogue.
            training: Operations that one training image takes in an epoch.
            predicting: Those of one prediction of all evaluated images.
            finishing: Those after the last epoch, apart from the last prediction.
            turns: Optimiser steps that each batch takes.
        """
        images = image_count(self.splits, dataset)
        return scheduled(
            self.schedule,
            self.compute,
            turns * math.ceil(images / self.batch_images),
            training * images,
            predicting=predicting,
            finishing=finishing,
        )
