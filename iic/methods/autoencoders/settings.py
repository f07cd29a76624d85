"""Settings that the four autoencoders of Table 1 share, and their cost (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.methods.autoencoders.network_settings import AutoencoderSettings
from iic.params.base import Model, Problem
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.fit import image_problems
from iic.params.method import MethodSettings
from iic.params.operations import Count, NetworkPass
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings


class CodeClusterSettings(Model):
    """k-means on the codes: k-means++ starts, the run of lowest inertia kept.

    The papers quoted in Table 1 do not say how codes were clustered.
    """

    scaling: Literal["none", "standardise", "l2"] = "none"
    """``standardise``: each number of the code to mean 0 and variance 1 over the evaluated images;
    ``l2``: each code to length 1."""
    restarts: int = Field(20, ge=1)
    """Starts of the clustering that is reported."""
    watch_restarts: int = Field(3, ge=1)
    """Starts of those that only watch the training, at each evaluation."""
    max_iterations: int = Field(300, ge=1)


class ReconstructionSettings(MethodSettings):
    """Settings of a method that learns a code by reconstruction and clusters it by k-means."""

    autoencoder: AutoencoderSettings
    k: int = Field(ge=2)
    """Clusters."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(256, ge=1)
    clusters: CodeClusterSettings = CodeClusterSettings()
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-3)
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    @property
    def code_outputs(self) -> int:
        """Numbers that the encoder gives for an image: those of its code."""
        return self.autoencoder.code

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; k-means is not counted."""
        coding, training = (
            count(
                NetworkPass(
                    f"iic.methods.autoencoders.network.{builder}",
                    self.autoencoder,
                    {"code_outputs": self.code_outputs},
                    route,
                )
            )
            for builder, route in (("Autoencoder", ("encoder",)), ("reconstruction", ()))
        )
        images = image_count(self.splits, dataset)
        steps = math.ceil(images / self.batch_images)
        predicting = coding.forward * evaluated_images(self.evaluation, dataset)
        # codes are computed once more for the inertia of the last and of the best epoch
        checkpoints = 2 if steps and self.schedule.epochs else 1
        return scheduled(
            self.schedule,
            self.compute,
            steps,
            training.training * images,
            predicting=predicting,
            finishing=predicting * checkpoints,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network, splits, batch and clusters fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from image_problems("autoencoder", self.autoencoder, dataset)
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
