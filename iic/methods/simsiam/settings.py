"""Settings of SimSiam with k-means, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.encoder import EncoderSettings
from iic.params.features import ClusteredFeatureSettings
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.multi_crop import MultiCropSettings
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count


class SimSiamSettings(ClusteredFeatureSettings):
    """All that a params file may say; a smaller batch at the end of an epoch is left out."""

    encoder: EncoderSettings
    crops: MultiCropSettings
    """Two large crops and no small one."""
    projection: int = Field(2048, ge=1)
    bottleneck: int = Field(512, ge=1)
    optimiser: MomentumSettings = MomentumSettings(learning_rate=0.03, weight_decay=5e-4)

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
        """Whether crops and encoder fit the dataset too."""
        yield from super().problems(dataset)
        yield from self.crops.problems("crops", dataset)
        for part, crops, number in (("large", self.crops.large, 2), ("small", self.crops.small, 0)):
            if crops.count != number:
                yield Problem(f"crops.{part}.count", f"{crops.count} crops", str(number))
        yield from image_problems("encoder", self.encoder, dataset, "kept")
