"""Training of ADC: walks between centroids, images and their transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from iic.engine.image_task import AugmentedTask
from iic.methods.adc.loss import association, length_penalty
from iic.methods.adc.network import ADCNetwork

if TYPE_CHECKING:
    from iic.methods.adc.settings import ADCSettings


class ADCTask(AugmentedTask[ADCNetwork]):
    """Each batch has its images as they are and several transformed copies of each."""

    PASS = "associations"
    settings: ADCSettings

    def build(self) -> ADCNetwork:
        """Layers, classifier and centroids."""
        settings = self.settings
        return ADCNetwork(
            settings.embedder,
            self.k,
            centroids=settings.centroids,
            deviation=settings.centroid_deviation,
            spread=settings.centroid_spread,
        )

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """All terms on one batch, (1,)."""
        repeats, images = self.settings.repeats, self.store.batch(indices)
        inputs = torch.cat(
            [
                self.augmentation.original(images, draw),
                self.augmentation.transformed(images, repeats, draw),
            ]
        )
        embeddings: Tensor = self.forward(self.network.embedder, inputs).float()
        own, transformed = embeddings[: len(indices)], embeddings[len(indices) :]
        numbers = torch.arange(len(indices), device=self.device).repeat(repeats)
        return self.terms(own, transformed, numbers).reshape(1)

    def terms(self, images: Tensor, transformed: Tensor, numbers: Tensor) -> Tensor:
        """The weighted sum of all terms, scalar.

        Args:
            images: Embeddings of the images as they are, (U, d).
            transformed: Those of transformed ones, (n, d).
            numbers: Which of the images each of these is, (n,).
        """
        weights, network = self.settings.weights, self.network
        clusters = torch.arange(self.k, device=self.device)
        clusters = clusters.repeat_interleave(self.settings.centroids)
        centroids = network.centroids
        to_images = association(centroids, images, clusters)
        among_images = association(transformed, images, numbers)
        points = torch.cat([centroids, images, transformed])
        layers, classifier = network.weight_squares()
        return (
            weights.walker * to_images.walker
            + weights.visit * to_images.visit
            + weights.transformed_walker * among_images.walker
            + weights.transformed_visit * among_images.visit
            + weights.logits * cross_entropy(network.classifier(centroids), clusters)
            + weights.sparsity * points.abs().sum()
            + weights.length * length_penalty(points, 1.0)
            + weights.layers * layers
            + weights.classifier * classifier
        )

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of the one "sub-head", (n, 1, k)."""
        return super().evaluate(indices)[:, None]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The softmax of the logits, (n, 1, k)."""
        return outputs.softmax(dim=2)
