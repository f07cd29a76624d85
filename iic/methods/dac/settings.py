"""Settings of DAC: its thresholds, the released variant, and the cost (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from iic.methods.dac.network_settings import DACNetworkSettings
from iic.params.augmentation import AugmentationSettings
from iic.params.base import Model, Problem
from iic.params.clusterings import ClusteringSettings
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.operations import Count, NetworkPass
from iic.params.splits import image_count


class ThresholdSettings(Model):
    """u = upper - upper_rate * lambda and l = lower + lower_rate * lambda, lambda from 0.

    lambda is moved once an epoch by gradient descent on u - l: by eta * (upper_rate + lower_rate).
    """

    upper: float = Field(0.95, gt=0, le=1)
    lower: float = Field(0.455, ge=0, lt=1)
    upper_rate: float = Field(1.0, ge=0)
    lower_rate: float = Field(0.1, ge=0)
    eta: float = Field(0.009, ge=0)

    def at(self, epoch: int) -> tuple[float, float]:
        """U and l of an epoch, counted from 0."""
        moved = self.eta * (self.upper_rate + self.lower_rate) * epoch
        return self.upper - self.upper_rate * moved, self.lower + self.lower_rate * moved


class AllSamplesSettings(Model):
    """DAC*: one threshold, so that every pair has a label; by default as released for MNIST."""

    first: float = Field(0.9, gt=0, lt=1)
    """The threshold of the first epoch."""
    last: float = Field(0.5, gt=0, lt=1)
    """What it would be after the last epoch; it moves in equal steps."""
    chunk_images: int = Field(1000, ge=2)
    """Images whose pairs get their labels at once, before they are trained on; those that fill no
    chunk are left out of an epoch."""
    chunk_epochs: int = Field(5, ge=1)
    """How often each image of a chunk is then trained on, newly transformed."""
    error: Literal["square", "entropy"] = "square"
    """Mean square of similarity minus label (MNIST), or binary cross-entropy (the others)."""
    own_weight: float = Field(0.0, ge=0)
    """Weight of the cross-entropy with an image's output before its chunk: 10 but for MNIST."""

    def at(self, epoch: int, epochs: int) -> float:
        """The threshold of an epoch, counted from 0."""
        return self.first - (self.first - self.last) * epoch / epochs


class RootMeanSquareSettings(Model):
    """RMSprop, with Keras's constants."""

    learning_rate: float = Field(1e-3, gt=0)
    decay: float = Field(0.9, ge=0, lt=1)
    """Of the mean square of each gradient."""
    epsilon: float = Field(1e-8, gt=0)


class DACSettings(ClusteringSettings):
    """Settings of DAC (`iic.methods.dac.method`)."""

    classifier: DACNetworkSettings
    augmentation: AugmentationSettings
    thresholds: ThresholdSettings = ThresholdSettings()
    all_samples: AllSamplesSettings | None = None
    """The variant that was released, in place of two thresholds; then `schedule.epochs` are visits
    of all chunks, and the loop counts, evaluates and saves by chunks."""
    optimiser: RootMeanSquareSettings = RootMeanSquareSettings()

    def chunks(self, images: int) -> int:
        """Chunks of `images` training images: 1 with two thresholds."""
        return images // self.all_samples.chunk_images if self.all_samples else 1

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        passed = count(
            NetworkPass("iic.methods.dac.network.DACNetwork", self.classifier, {"k": self.k})
        )
        predicting = passed.forward * evaluated_images(self.evaluation, dataset)
        own = self.all_samples
        if own is None:
            return self._scheduled(dataset, training=passed.training, predicting=predicting)
        chunks = self.chunks(image_count(self.splits, dataset))
        schedule = self.schedule.model_copy(update={"epochs": self.schedule.epochs * chunks})
        steps = own.chunk_epochs * math.ceil(own.chunk_images / self.batch_images)
        epoch = own.chunk_epochs * own.chunk_images * passed.training
        cost = scheduled(schedule, self.compute, steps, epoch, predicting=predicting, finishing=0.0)
        labelled = passed.forward * own.chunk_images * math.ceil(cost.steps / steps)
        return replace(cost, evaluation=cost.evaluation + labelled)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits the dataset, and the thresholds keep their order to the end."""
        yield from super().problems(dataset)
        yield from fit_problems(self.classifier, self.augmentation, dataset, "classifier")
        images, own = image_count(self.splits, dataset), self.all_samples
        if own is None:
            yield from self._crossings()
        elif not self.batch_images <= own.chunk_images <= max(images, self.batch_images):
            yield Problem(
                "all_samples.chunk_images",
                f"{own.chunk_images} images a chunk, with {self.batch_images} a batch and "
                f"{images} to train on",
                f"{self.batch_images} to {images}",
            )

    def _crossings(self) -> Iterator[Problem]:
        for epoch in range(self.schedule.epochs):
            upper, lower = self.thresholds.at(epoch)
            if upper < lower:
                yield Problem(
                    "thresholds",
                    f"they cross before the end: in epoch {epoch + 1} of {self.schedule.epochs} a "
                    f"pair is alike from {upper:.4g} on and unlike below {lower:.4g}",
                    f"at most {epoch} epochs (schedule.epochs), or a smaller eta",
                )
                return
