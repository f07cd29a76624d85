"""Settings of the template, and which of them fit together (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.params.augmentation import AugmentationSettings
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import MethodSettings, Problem
from iic.params.networks import NetworkSettings
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings


class TemplateSettings(MethodSettings):
    """All that a params file may say. A default stands here and nowhere else."""

    network: NetworkSettings
    """The trunk."""
    augmentation: AugmentationSettings
    """The random transforms."""
    k: int = Field(ge=2)
    """Clusters."""
    evenness: float = Field(2.0, gt=0)
    """Weight of the loss's second term, which keeps the clusters of one size."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(256, ge=2)
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-3)
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Values that are each well-formed, but do not fit together or fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from fit_problems(self.network, self.augmentation, dataset)
        classes, images = len(dataset.classes), image_count(self.splits, dataset)
        if self.k < classes:
            yield Problem("k", f"{self.k} clusters for {classes} classes", f"at least {classes}")
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )
