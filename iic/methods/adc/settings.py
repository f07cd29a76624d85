"""Settings of ADC, and its cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.methods.adc.network_settings import ADCNetworkSettings
from iic.params.augmentation import AugmentationSettings
from iic.params.base import Model, Problem
from iic.params.clusterings import ClusteringSettings
from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings


class WeightSettings(Model):
    """Weights of the terms of the loss, as released."""

    walker: float = Field(1.0, ge=0)
    """Walks from centroids to images and back."""
    visit: float = Field(0.5, ge=0)
    transformed_walker: float = Field(1.0, ge=0)
    """Walks from transformed images to images and back."""
    transformed_visit: float = Field(1.0, ge=0)
    logits: float = Field(0.5, ge=0)
    """Cross-entropy of the centroids' clusters."""
    sparsity: float = Field(2e-4, ge=0)
    """Sum of the absolute numbers of embeddings and centroids."""
    length: float = Field(2e-4, ge=0)
    """Sum of squares of their lengths minus 1."""
    layers: float = Field(1e-3, ge=0)
    """Half the sum of squares of the weights below the embedding."""
    classifier: float = Field(1e-4, ge=0)
    """Half the sum of squares of the classifier's weights."""


class ADCSettings(ClusteringSettings):
    """Settings of ADC (`iic.methods.adc.method`)."""

    embedder: ADCNetworkSettings
    augmentation: AugmentationSettings
    batch_images: int = Field(100, ge=2)
    repeats: int = Field(3, ge=1)
    """Transformed copies of each image in a batch, besides the image itself."""
    centroids: int = Field(4, ge=1)
    """Of each cluster."""
    centroid_deviation: float = Field(0.3, gt=0)
    """Of a cluster's middle at the start, around 0."""
    centroid_spread: float = Field(0.01, ge=0)
    """How far its centroids then lie from it, in each number."""
    weights: WeightSettings = WeightSettings()
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=2e-4, beta1=0.8, beta2=0.9)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; the classifier sees the centroids alone."""
        builder = "iic.methods.adc.network.ADCNetwork"
        embedding, predicting = (
            count(NetworkPass(builder, self.embedder, {"k": self.k}, route))
            for route in (("embedder",), ())
        )
        return self._scheduled(
            dataset,
            training=embedding.training * (1 + self.repeats),
            predicting=predicting.forward * evaluated_images(self.evaluation, dataset),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits the dataset."""
        yield from super().problems(dataset)
        yield from fit_problems(self.embedder, self.augmentation, dataset, "embedder")
