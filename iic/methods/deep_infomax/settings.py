"""Settings of Deep InfoMax without labels, and its cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.methods.deep_infomax.network_settings import DIMEncoderSettings
from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.features import ClusteredFeatureSettings
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.splits import image_count
from iic.params.training import OptimiserSettings

NETWORK = "iic.methods.deep_infomax.network"


class DIMSettings(ClusteredFeatureSettings):
    """Settings of Deep InfoMax (`iic.methods.deep_infomax.method`)."""

    encoder: DIMEncoderSettings
    units: int = Field(2048, ge=1)
    """Numbers in which a local and a global feature are compared."""
    batch_images: int = Field(64, ge=2)
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-4)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; k-means and the comparisons are not counted."""
        training = NetworkPass(f"{NETWORK}.compared", self.encoder, {"units": self.units})
        vector = NetworkPass(
            f"{NETWORK}.DIMNetwork", self.encoder, {"units": self.units}, ("encode",)
        )
        return self._cost(
            dataset,
            training=count(training).training,
            features=count(vector).forward,
            predicted=evaluated_images(self.evaluation, dataset),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the images fit too."""
        yield from super().problems(dataset)
        yield from image_problems("encoder", self.encoder, dataset, "resized")
        images = image_count(self.splits, dataset)
        if images % self.batch_images == 1:
            yield Problem(
                "batch_images",
                f"{self.batch_images} leaves a batch of one of {images} images, which has no other "
                "image to be compared with",
                f"another size, such as {self.batch_images + 1}",
            )
