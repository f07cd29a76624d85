"""Stacked what-where autoencoder with labels of one fold (Table 3, row "SWWAE").

Objective: cross-entropy of a linear classifier of the last "what", on images with labels, +
`reconstruction_weight` times the squared error of the reconstruction and `intermediate_weight`
times the errors inside, on images with and without labels. Source: Zhao, Mathieu, Goroshin and
LeCun, "Stacked what-where auto-encoders" (arXiv:1506.02351), whose number the paper quotes.

As in the source: the network for STL10 (docs/spec/baselines.md#swwae), trained jointly on one of
the ten predefined folds of 1,000 labels and on the images without; the row is the mean of the ten.

Our choices where the source is silent: as in `iic.methods.what_where.method`; weights of 1; each
step takes as many images with labels as without, the labels over and over; no transforms; the last
epoch and, as `as_published`, the one of best test accuracy, as the paper's own rows have it.

No known deviation besides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.methods.what_where.network_settings import WhatWhereNetworkSettings
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.fit import image_problems
from iic.params.method import MethodSettings, Problem
from iic.params.operations import Count, NetworkPass
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(MethodSettings):
    """Settings of a what-where autoencoder with a classifier."""

    autoencoder: WhatWhereNetworkSettings
    splits: tuple[str, ...] = ("train", "unlabeled")
    """Splits that are reconstructed, without their labels."""
    labelled_splits: tuple[str, ...] = ("train",)
    """Splits whose labels are trained on."""
    fold: int | None = Field(None, ge=0)
    """Train on the labels of this one of the dataset's predefined folds alone."""
    batch_images: int = Field(128, ge=2)
    """Images in a batch without labels, and as many with."""
    reconstruction_weight: float = Field(1.0, ge=0)
    """Weight of the image's error, that of the cross-entropy being 1."""
    intermediate_weight: float = Field(1.0, ge=0)
    """Weight of the errors inside."""
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-3)
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        module, others = "iic.methods.what_where.network", {"classes": len(dataset.classes)}
        plain = NetworkPass(f"{module}.reconstruction", self.autoencoder)
        labelled = NetworkPass(f"{module}.classification", self.autoencoder, others)
        scored = NetworkPass(f"{module}.WhatWhereClassifier", self.autoencoder, others, ("logits",))
        images = image_count(self.splits, dataset)
        return scheduled(
            self.schedule,
            self.compute,
            math.ceil(images / self.batch_images),
            images * (count(plain).training + count(labelled).training),
            predicting=count(scored).forward * evaluated_images(self.evaluation, dataset),
            finishing=0,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network, splits and batch fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from split_problems("labelled_splits", self.labelled_splits, dataset)
        yield from image_problems("autoencoder", self.autoencoder, dataset)
        if self.evaluation.matching != "identity":
            yield Problem(
                "evaluation.matching", f"{self.evaluation.matching!r} for a classifier", "identity"
            )
        images = image_count(self.splits, dataset)
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Train on images and on labels, and report the classes of the test images.

    Raises:
        IICError: The dataset has no such fold, or an image to be trained on has no label.
    """
    from iic.engine.run import run
    from iic.methods.what_where.classifier_task import WhatWhereClassifierTask

    return run(context, WhatWhereClassifierTask)
