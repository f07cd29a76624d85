"""Settings of SimSiam with k-means, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.encoder import EncoderSettings
from iic.params.method import MethodSettings, Problem
from iic.params.multi_crop import MultiCropSettings
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, ScheduleSettings


class SimSiamSettings(MethodSettings):
    """All that a params file may say."""

    encoder: EncoderSettings
    crops: MultiCropSettings
    """Two large crops and no small one."""
    k: int = Field(ge=2)
    """Clusters of the evaluated images."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(256, ge=2)
    """Images in a batch; a smaller one at the end of an epoch is left out."""
    projection: int = Field(2048, ge=1)
    bottleneck: int = Field(512, ge=1)
    restarts: int = Field(10, ge=1)
    """Starts of the clustering that is reported."""
    watch_restarts: int = Field(3, ge=1)
    """Starts of those that only watch the training, at each evaluation."""
    max_iterations: int = Field(300, ge=1)
    """Most iterations of each."""
    optimiser: MomentumSettings = MomentumSettings(learning_rate=0.03, weight_decay=5e-4)
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of two crops of all images, and of the features; k-means is not counted."""
        builder = "iic.methods.simsiam.network.SiameseNetwork"
        others = {"projection": self.projection, "bottleneck": self.bottleneck}
        crop = self.encoder.model_copy(update={"input_size": self.crops.large.size})
        route = ("encoder", "projector", "predictor")
        training = 2 * count(NetworkPass(builder, crop, others, route)).training
        features = count(NetworkPass(builder, self.encoder, others)).forward
        steps = image_count(self.splits, dataset) // self.batch_images
        predicting = features * evaluated_images(self.evaluation, dataset)
        return scheduled(
            self.schedule,
            self.compute,
            steps,
            float(training * steps * self.batch_images),
            predicting=predicting,
            finishing=2 * predicting,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Values that are each well-formed, but do not fit together or fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from self.crops.problems("crops", dataset)
        for part, wanted in (("large", 2), ("small", 0)):
            number = getattr(self.crops, part).count
            if number != wanted:
                yield Problem(f"crops.{part}.count", f"{number} crops", str(wanted))
        image = dataset.image
        if (self.encoder.in_channels, self.encoder.input_size) != (image.channels, image.height):
            yield Problem(
                "encoder.input_size",
                f"{self.encoder.input_size} pixels and {self.encoder.in_channels} channels, but "
                f"images of {image.height} pixels and {image.channels} channels are evaluated",
                f"input_size {image.height} and in_channels {image.channels}",
            )
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
