"""Settings of IMC-SwAV, which of them fit together, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.encoder import EncoderSettings
from iic.params.experiments import RUN
from iic.params.fit import image_problems
from iic.params.learning_rates import LearningRateSettings
from iic.params.method import MethodSettings, Problem
from iic.params.multi_crop import MultiCropSettings
from iic.params.operations import Count, NetworkPass, Operations
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings


class IMCSwAVSettings(MethodSettings):
    """All that a params file may say; the defaults are the constants of the released code."""

    encoder: EncoderSettings
    crops: MultiCropSettings = MultiCropSettings()
    k: int = Field(ge=2)
    """Clusters."""
    start_from: str | None = Field(None, pattern=RUN)
    """Run of the same dataset and seed whose encoder, projector and prototypes this one has, and
    never changes; null: they are trained here."""
    checkpoint: Literal["last", "best_label"] = "last"
    """Which of that run's two checkpoints."""
    classifier: Literal["new", "kept"] = "new"
    """Beside `start_from`: whether the classifier is new; or that run's too, so that nothing is
    trained, and that run is evaluated once more in another way."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    classifier_splits: tuple[str, ...] = ()
    """Of them, those that the classifier is trained on (STL10: train, without its labels); empty:
    all. The others' crops wait in a bank until there is a batch."""
    subset: int | None = Field(None, ge=2)
    """Train on so many of these images, drawn by the seed; null: on all."""
    batch_images: int = Field(256, ge=2)
    """Images in a batch; a smaller one at the end of an epoch is left out."""
    projection: int = Field(128, ge=1)
    """Length of what is compared with the prototypes."""
    prototypes: int = Field(1000, ge=2)
    hidden: int = Field(1024, ge=1)
    """Width of the classifier's hidden layers."""
    temperature: float = Field(0.1, gt=0)
    """Of the probabilities of prototypes."""
    epsilon: float = Field(0.05, gt=0)
    """Temperature of the codes."""
    sinkhorn_iterations: int = Field(3, ge=1)
    entropy_weight: float = Field(4.0, ge=0)
    """b: weight of the entropy of the clusters; with 1 the loss is minus the mutual information."""
    penalty_weight: float = Field(0.01, ge=0)
    """a: weight of the penalty on large logits; 0 for none."""
    penalty_bound: float = Field(5.0, ge=0)
    """Absolute logit from which it counts."""
    joint: bool = False
    """Whether the classifier's loss trains the encoder too; in the released code it does not."""
    frozen_prototypes: int = Field(500, ge=0)
    """First steps, in which the prototypes are not trained."""
    weight_decay: float = Field(1e-5, ge=0)
    """Added to Adam's gradients (L2, not decoupled)."""
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=5e-4, beta1=0.8)
    schedule: ScheduleSettings = ScheduleSettings(
        epochs=500,
        evaluation_batch=256,
        learning_rate=LearningRateSettings(
            warm_up_steps=500, milestones=(150, 300, 400), decay=0.4
        ),
    )
    compute: ComputeSettings = ComputeSettings()

    @property
    def base(self) -> str | None:
        """Run of the same dataset and seed whose weights this one starts from."""
        return self.start_from

    @property
    def epochs(self) -> int:
        """Epochs in all: none where the classifier is kept."""
        return 0 if self.classifier == "kept" else self.schedule.epochs

    @property
    def trained_splits(self) -> tuple[str, ...]:
        """Splits of a pass: where the encoder is not trained, those of the classifier alone."""
        frozen = self.start_from is not None
        return self.classifier_splits if frozen and self.classifier_splits else self.splits

    @property
    def banked(self) -> bool:
        """Whether the classifier is trained on fewer images than the encoder."""
        return bool(self.classifier_splits) and {*self.classifier_splits} != {*self.trained_splits}

    @property
    def shape(self) -> dict[str, Any]:
        """What the network has besides the encoder, as `IMCSwAVNetwork` takes it."""
        return {
            "projection": self.projection,
            "prototypes": self.prototypes,
            "hidden": self.hidden,
            "k": self.k,
        }

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training: all crops of all images, and the evaluations."""
        training = 0
        for kind in self.crops.kinds:
            network, features, scores = (
                self._operations(count, kind.size, *route)
                for route in ((), ("encoder",), ("encoder", "assigner"))
            )
            classifier = network.training - features.training
            if self.start_from is None:
                training += scores.training + classifier
            else:
                training += scores.forward + classifier
        images = min(image_count(self.trained_splits, dataset), self.subset or dataset.count)
        steps = images // self.batch_images
        evaluated = self._operations(count, self.encoder.input_size).forward
        return scheduled(
            self.schedule.model_copy(update={"epochs": self.epochs}),
            self.compute,
            steps,
            float(training * steps * self.batch_images),
            predicting=evaluated * evaluated_images(self.evaluation, dataset),
            finishing=0,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Values that are each well-formed, but do not fit together or fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from split_problems("classifier_splits", self.classifier_splits, dataset)
        yield from self.crops.problems("crops", dataset)
        yield from image_problems("encoder", self.encoder, dataset, "kept")
        yield from self._class_problems(dataset)
        yield from self._image_problems(dataset)
        if self.joint and (self.banked or self.start_from):
            yield Problem(
                "joint",
                "true, but the features are those of earlier steps or of another run",
                "false; or true without classifier_splits and start_from",
            )
        if self.start_from and self.schedule.double_evaluation and self.epochs:
            yield Problem(
                "schedule.double_evaluation",
                f"true, which would change the encoder of {self.start_from} between epochs",
                "false, or classifier: kept",
            )
        if self.classifier == "kept" and self.start_from is None:
            yield Problem("classifier", "'kept', but start_from names no run that has one", "new")

    def _operations(self, count: Count, side: int, *route: str) -> Operations:
        builder = "iic.methods.imc_swav.network.IMCSwAVNetwork"
        crop = self.encoder.model_copy(update={"input_size": side})
        return count(NetworkPass(builder, crop, self.shape, route))

    def _class_problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are clusters and prototypes for all classes."""
        classes = len(dataset.classes)
        if self.start_from is None and self.k < classes:
            yield Problem("k", f"{self.k} clusters for {classes} classes", f"at least {classes}")
        if self.prototypes < max(classes, self.k):
            yield Problem(
                "prototypes",
                f"{self.prototypes} prototypes for {classes} classes and {self.k} clusters",
                f"at least {max(classes, self.k)}",
            )

    def _image_problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are images for a batch, and for the bank."""
        images = image_count(self.trained_splits, dataset)
        if self.subset is not None and 0 < images < self.subset:
            yield Problem("subset", f"{self.subset} of {images} images", f"at most {images}")
        trained = min(images, self.subset or images)
        if 0 < trained < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {trained} to train on",
                f"at most {trained}",
            )
        if outside := {*self.classifier_splits} - {*(self.splits or dataset.splits)}:
            yield Problem(
                "classifier_splits",
                f"{sorted(outside)[0]!r} is none of the splits that are trained on",
                ", ".join(self.splits or dataset.splits),
            )
        banked = image_count(self.classifier_splits, dataset)
        if self.banked and banked < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images fill the bank, but the classifier's splits have "
                f"{banked}: it would never be trained",
                f"at most {banked}",
            )
        if self.banked and self.subset is not None:
            yield Problem("subset", "given beside classifier_splits", "one of the two")
