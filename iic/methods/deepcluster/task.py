"""Training by DeepCluster: pseudo-labels by k-means before each epoch, then classification."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import cross_entropy

from iic.engine.clustering.kmeans import kmeans
from iic.engine.clustering.whitening import Whitening, fit_whitening
from iic.engine.device import moved
from iic.engine.feature_task import FeatureTask, Points
from iic.engine.image_task import AugmentedTask
from iic.engine.seeding import derive, generator
from iic.engine.task import CPU
from iic.methods.deepcluster.network import DeepClusterNetwork
from iic.methods.deepcluster.uniform import uniform_over_clusters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iic.methods.deepcluster.settings import DeepClusterSettings

log = logging.getLogger(__name__)


class DeepClusterTask(AugmentedTask[DeepClusterNetwork], FeatureTask[DeepClusterNetwork]):
    """DeepCluster on images."""

    settings: DeepClusterSettings

    def build(self) -> DeepClusterNetwork:
        """Trunk, feature layer and top layer."""
        settings = self.settings
        return DeepClusterNetwork(
            settings.network,
            features=settings.features,
            clusters=settings.clusters,
            images=len(self.training),
        )

    @property
    def chance(self) -> float:
        """Loss of all pseudo-classes alike."""
        return math.log(self.settings.clusters)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The top layer apart: it has no momentum, as in the official code.

        So nothing of the optimiser belongs to a layer that is forgotten before each epoch.
        """
        top = list(self.network.top.parameters())
        apart = {id(parameter) for parameter in top}
        rest = [each for each in self.network.parameters() if id(each) not in apart]
        return [{"params": rest}, {"params": top, "momentum": 0.0}]

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Images of every batch, uniformly over the pseudo-labels of the epoch, on the host.

        They are given as positions in `training`, which are those of their pseudo-labels.
        """
        draw = generator(CPU, self.seed, "order", epoch, position)
        positions = uniform_over_clusters(self.network.pseudo_labels.cpu(), draw)
        return list(torch.split(positions, self.batch_images))

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the pseudo-labels of transformed images, (1,).

        Args:
            head: The pass.
            indices: Positions of the batch's images in `training`, (U,).
            draw: Source of the transforms' parameters.
        """
        images = self.augmentation.transformed(self.store.batch(self.training[indices]), 1, draw)
        features = self.forward(self.network, images).float()
        labels = self.network.pseudo_labels[moved(indices, self.device)].long()
        return cross_entropy(self.network.classify(features), labels).reshape(1)

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Give every training image a new pseudo-label, and forget the top layer.

        Pseudo-labels follow from the weights and are then in the network. Features are computed
        twice, in batches; what is held of them are `components` numbers an image.
        """
        settings = self.settings
        points = self._projected(self._directions(self.training), self.training)
        clustering = kmeans(
            points,
            settings.clusters,
            seed=derive(self.seed, "pseudo-labels", epoch),
            threads=settings.threads,
            restarts=settings.pseudo_restarts,
            max_iterations=settings.pseudo_iterations,
        )
        labels = torch.from_numpy(clustering.clusters.astype(np.int32))
        self.network.pseudo_labels.copy_(labels)
        self.network.reset_top(generator(CPU, self.seed, "top", epoch))
        sizes = np.bincount(clustering.clusters)
        filled = sizes[sizes > 0]
        log.info(
            "%s: epoch %d: %d clusters of %d to %d images",
            *(self.context.name, epoch + 1, len(filled), filled.min(), filled.max()),
        )

    def points(self) -> Points:
        """Principal components of the evaluated images' features, each of length 1."""
        directions = self._directions(self.evaluated)
        if self.settings.evaluate_on == "principal":
            directions = unscaled(directions)
        return self._projected(directions, self.evaluated)

    def _features(self, images: Tensor) -> Iterator[Points]:
        return (part.cpu().numpy() for part in self.evaluations(images))

    def _projected(self, directions: Whitening, images: Tensor) -> Points:
        with threadpool_limits(self.settings.threads):
            return np.concatenate([directions(part) for part in self._features(images)])

    def _directions(self, images: Tensor) -> Whitening:
        """Whitening of these images' features, found on some of them where they are many."""
        most = self.settings.directions_images
        if most is not None and len(images) > most:
            images = self.shuffled(images, "directions")[:most].sort().values
        with threadpool_limits(self.settings.threads):
            return fit_whitening(
                self._features(images), self.settings.components, self.context.name
            )


def unscaled(whitening: Whitening) -> Whitening:
    """The same principal directions, each of length 1 instead of divided by its deviation."""
    lengths = np.linalg.norm(whitening.projection, axis=0, keepdims=True)
    return Whitening(whitening.mean, (whitening.projection / lengths).astype(np.float32))
