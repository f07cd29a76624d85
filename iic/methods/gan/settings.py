"""Settings of the GAN, and its cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.methods.gan.network_settings import GANNetworkSettings
from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.features import ClusteredFeatureSettings
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings


class GANSettings(ClusteredFeatureSettings):
    """Settings of the GAN (`iic.methods.gan.method`)."""

    networks: GANNetworkSettings
    batch_images: int = Field(128, ge=2)
    """Images in a batch, real ones and as many that are made."""
    unit_length: bool = True
    """Whether each image's features are divided by their length before they are clustered."""
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=2e-4, beta1=0.5)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training: a turn of each player for a batch; k-means is not counted."""
        module = "iic.methods.gan.network"
        turns = [
            count(NetworkPass(f"{module}.{name}", self.networks))
            for name in ("telling", "deceiving")
        ]
        features = NetworkPass(f"{module}.Discriminator", self.networks, {}, ("features",))
        return self._cost(
            dataset,
            training=sum(turn.training for turn in turns),
            features=count(features).forward,
            predicted=evaluated_images(self.evaluation, dataset),
            turns=len(turns),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the networks fit the images, and the rest fits."""
        yield from super().problems(dataset)
        yield from image_problems("networks", self.networks, dataset)
