"""Settings of DeepCluster on images, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.features import FeatureSettings
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count


class DeepClusterSettings(FeatureSettings):
    """Settings of DeepCluster (`iic.methods.deepcluster.method`)."""

    clusters: int = Field(ge=2)
    """Pseudo-classes; 10 times the classes in the paper's runs."""
    features: int = Field(4096, ge=1)
    """Length of a feature vector."""
    components: int = Field(256, ge=1)
    """Principal directions that are clustered, whitened."""
    directions_images: int | None = Field(20_000, ge=2)
    """Random images that the principal directions are found on; null or fewer: all."""
    evaluate_on: Literal["whitened", "principal"] = "whitened"
    """What is clustered at the end: whitened principal components, as for the pseudo-labels, or
    unscaled ones, which keep the distances of the features. Both have length 1."""
    pseudo_restarts: int = Field(1, ge=1)
    """Starts of the clustering before each epoch."""
    pseudo_iterations: int = Field(20, ge=1)
    """Most iterations of each, as in the official code."""
    optimiser: MomentumSettings = MomentumSettings(
        learning_rate=0.05, momentum=0.9, weight_decay=1e-5
    )

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training: features of all images before each epoch among them."""
        builder = "iic.methods.deepcluster.network.DeepClusterNetwork"
        others = {"features": self.features, "clusters": self.clusters, "images": 1}
        features, training = (
            count(NetworkPass(builder, self.network, others, route))
            for route in (("forward",), ("forward", "classify"))
        )
        trained = image_count(self.splits, dataset)
        evaluated = evaluated_images(self.evaluation, dataset)
        # once more for the principal directions
        between, predicted = (
            images + min(self.directions_images or images, images)
            for images in (trained, evaluated)
        )
        return self._cost(
            dataset,
            training=training.training,
            features=features.forward,
            predicted=predicted,
            between=between,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are images for so many pseudo-classes, and the rest fits."""
        yield from super().problems(dataset)
        images = image_count(self.splits, dataset)
        if 0 < images < self.clusters:
            yield Problem(
                "clusters",
                f"{self.clusters} clusters, but there are {images} images to train on",
                f"at most {images}",
            )
        if self.components > self.features:
            yield Problem(
                "components",
                f"{self.components} principal directions of {self.features} features",
                f"at most {self.features}",
            )
