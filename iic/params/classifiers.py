"""Settings that methods share which learn from labels (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.experiments import RUN
from iic.params.method import MethodSettings, Problem
from iic.params.operations import Count, NetworkPass
from iic.params.splits import FOLD_SHARE, UNLABELLED, image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings

Penalties = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)]


class LabelledSettings(MethodSettings):
    """Images with labels are learnt from, and classes of the evaluated images come out."""

    splits: tuple[str, ...] = ("train",)
    """Splits whose labels are learnt from."""
    fold: int | None = Field(None, ge=0)
    """Learn from this one of the dataset's predefined folds alone."""
    compute: ComputeSettings = ComputeSettings()

    def labelled_images(self, dataset: Dataset) -> int:
        """Images whose labels are learnt from; a fold is taken for a fifth of them."""
        return round(image_count(self.splits, dataset) * (1 if self.fold is None else FOLD_SHARE))

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the splits are there and have labels, and classes are scored as they are."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        labelled = [name for name in dataset.splits if name != UNLABELLED and dataset.labelled]
        for name in self.splits or dataset.splits:
            if name in dataset.splits and name not in labelled:
                yield Problem(
                    "splits",
                    f"split {name!r} of {dataset.title} has no labels to learn from",
                    ", ".join(labelled) or "a dataset with labels",
                )
        if self.evaluation.matching != "identity":
            yield Problem(
                "evaluation.matching", f"{self.evaluation.matching!r} for a classifier", "identity"
            )


class ClassifierSettings(LabelledSettings):
    """A network is trained on them in batches."""

    batch_images: int = Field(128, ge=2)
    """Images in a batch."""
    schedule: ScheduleSettings

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the batch fits too, and leaves no single image to BatchNorm."""
        yield from super().problems(dataset)
        images = image_count(self.splits, dataset)
        if self.fold is None and images % self.batch_images == 1:
            yield Problem(
                "batch_images",
                f"{self.batch_images} leaves a batch of one of {images} images, which BatchNorm "
                "cannot normalise",
                f"another size, such as {self.batch_images + 1}",
            )

    def _cost(self, dataset: Dataset, count: Count, way: NetworkPass, views: int = 1) -> Cost:
        """Operations of one training of the network that `way` passes.

        Args:
            dataset: Entry of the catalogue.
            count: Gives the operations of a pass.
            way: The pass of an image.
            views: Passes that score an image.
        """
        operations, images = count(way), self.labelled_images(dataset)
        return scheduled(
            self.schedule,
            self.compute,
            math.ceil(images / self.batch_images),
            operations.training * images,
            predicting=operations.forward * views * evaluated_images(self.evaluation, dataset),
            finishing=0,
        )


class MachineSettings(Model):
    """A support vector machine, as scikit-learn has it."""

    kernel: Literal["rbf", "linear"] = "rbf"
    """`rbf`: a radial kernel, one machine for each pair of classes (SVC). `linear`: none, one for
    each class against all others (LinearSVC, squared hinge)."""
    gamma: Literal["scale", "auto"] = "scale"
    """Of the radial kernel: 1 / (numbers of a feature), for `scale` divided by their variance."""
    penalties: Penalties = (1.0,)
    """C. Of several, that of the best accuracy by cross-validation on the labelled images."""
    parts: int = Field(5, ge=2)
    """Parts of the cross-validation."""
    standardised: bool = False
    """Whether each number of the features gets mean 0 and deviation 1 over the labelled images."""
    max_iterations: int = Field(10_000, ge=1)
    """Most iterations of a linear machine."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.penalties) != sorted(set(self.penalties)):
            raise ValueError(f"penalties: {list(self.penalties)} must ascend")
        return self


class FixedFeatureSettings(LabelledSettings):
    """Another run's features stay as they are, and a support vector machine classifies them."""

    start_from: str = Field(pattern=RUN)
    """Run of the same dataset and seed whose network gives the features."""
    checkpoint: Literal["best_label", "last"] = "last"
    """Which of that run's two checkpoints."""
    machine: MachineSettings = MachineSettings()
    evaluation_batch: int = Field(700, ge=1)
    """Images that go through the network at once."""

    @property
    def base(self) -> str:
        """Run of the same dataset and seed whose weights this one starts from."""
        return self.start_from

    @property
    def optimiser(self) -> OptimiserSettings:
        """Of no account: no step is taken."""
        return OptimiserSettings()

    @property
    def schedule(self) -> ScheduleSettings:
        """One evaluation, and no epoch."""
        return ScheduleSettings(epochs=0, evaluation_batch=self.evaluation_batch)

    def _cost(self, dataset: Dataset, count: Count, way: NetworkPass) -> Cost:
        """Operations of all features; the machine is not counted."""
        images = self.labelled_images(dataset) + evaluated_images(self.evaluation, dataset)
        return Cost(evaluation=count(way).forward * images, precision=self.compute.precision)
