"""Settings of stacked what-where autoencoders, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.methods.what_where.network_settings import WhatWhereNetworkSettings
from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.features import ClusteredFeatureSettings
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings

NETWORK = "iic.methods.what_where.network"


class WhatWhereSettings(ClusteredFeatureSettings):
    """Settings of a what-where autoencoder that is clustered (`iic.methods.what_where.method`)."""

    autoencoder: WhatWhereNetworkSettings
    intermediate_weight: float = Field(1.0, ge=0)
    """Weight of the errors inside, that of the image's being 1."""
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-3)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; k-means is not counted."""
        code = NetworkPass(f"{NETWORK}.WhatWhereAutoencoder", self.autoencoder, {}, ("code",))
        return self._cost(
            dataset,
            training=count(NetworkPass(f"{NETWORK}.reconstruction", self.autoencoder)).training,
            features=count(code).forward,
            predicted=evaluated_images(self.evaluation, dataset),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network fits the images, and the rest fits."""
        yield from super().problems(dataset)
        yield from image_problems("autoencoder", self.autoencoder, dataset)
