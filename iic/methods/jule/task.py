"""Training of JULE: clusters are merged and features are learnt from them, in turns."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import normalize

from iic.engine.clustering.neighbours import nearest
from iic.engine.device import moved
from iic.engine.image_task import ImageTask
from iic.engine.plain_images import plain_images
from iic.engine.task import Predictions
from iic.methods.jule.agglomeration import Agglomeration, Clusters, chains, edges
from iic.methods.jule.loss import Triplets, triplet_loss, triplets
from iic.methods.jule.network import JULENetwork
from iic.params.errors import IICError

if TYPE_CHECKING:
    from iic.methods.jule.settings import JULESettings

log = logging.getLogger(__name__)
Points = NDArray[np.float32]


class JULETask(ImageTask[JULENetwork]):
    """At each evaluation the evaluated images are merged from their first clusters to k."""

    PASS = "triplets"
    settings: JULESettings

    def build(self) -> JULENetwork:
        """The network, with a memory of the training images' clusters."""
        return JULENetwork(self.settings.encoder, len(self.training))

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Batches as positions in `training`, and the clusters that they have in this epoch."""
        positions = self.shuffled(torch.arange(len(self.training)), "order", epoch)
        clusters = self.network.clusters.cpu()
        return [
            torch.stack([batch, clusters[batch]])
            for batch in torch.split(positions, self.batch_images)
        ]

    def examples(self, indices: Tensor) -> int:
        """Images of a batch."""
        return indices.shape[1]

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The triplet loss of a batch, (1,).

        Args:
            head: The pass.
            indices: Positions in `training`, and clusters, (2, U).
            draw: Not used: triplets are drawn on the host.
        """
        positions, clusters = indices
        settings = self.settings.triplets
        chosen = triplets(clusters, settings.negatives)
        features: Tensor = self.forward(self.network, self.inputs(self.training[positions]))
        on_device = Triplets(*(moved(part, self.device) for part in chosen))
        return triplet_loss(
            features, on_device, margin=settings.margin, weight=settings.weight
        ).reshape(1)

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Set the learning rate; at the very start, the first clusters, which pixels give."""
        settings = self.settings
        if epoch == 0:
            self._remember(chains(self._graph(self._pixels())[1][:, 0]))
        steps = epoch * self.steps(self.PASS)
        for group in optimiser.param_groups:
            group["lr"] = (
                settings.optimiser.learning_rate / (1 + settings.decay * steps) ** settings.power
            )

    def end_epoch(self, epoch: int) -> bool:
        """After a round's last epoch: merge by the features that were learnt; the end is at k."""
        if (epoch + 1) % self.settings.round_epochs == 0:
            points = self._features(self.training)
            before: Clusters = self.network.clusters.cpu().numpy().astype(np.int64)
            self._remember(self._merged(points, edges(*self._graph(points)), before))
        return bool(self.network.stopped)

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but the memory of the training."""
        return {
            name: value for name, value in tensors.items() if name not in ("clusters", "stopped")
        }

    def predict(self, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1), by merging alone; there are no probabilities.

        Raises:
            IICError: There are fewer than k clusters before the first merging.
        """
        points = self._features(self.evaluated)
        distances, neighbours = self._graph(points)
        clusters, weights = chains(neighbours[:, 0]), edges(distances, neighbours)
        self._check(clusters)
        while clusters.max() + 1 > self.k:
            clusters = self._merged(points, weights, clusters)
        return Predictions(clusters.astype(np.min_scalar_type(self.k - 1))[:, None], None)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Features of images, (n, d)."""
        features: Tensor = self.forward(self.network, self.inputs(indices))
        return features

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return plain_images(self.store, indices, self.settings.encoder.input_size)

    def _merged(self, points: Points, weights: Any, clusters: Clusters) -> Clusters:
        """Clusters after one round of merging, (n,)."""
        graph = self.settings.graph
        merging = Agglomeration(weights, clusters, points, graph.local)
        merging.join_isolated(self.k)
        merging.merge(min(math.ceil(graph.rate * merging.count), merging.count - self.k))
        return merging.clusters

    def _remember(self, clusters: Clusters) -> None:
        self._check(clusters)
        count = int(clusters.max()) + 1
        log.info("%s: %d clusters", self.context.name, count)
        self.network.clusters.copy_(torch.from_numpy(clusters.astype(np.int32)))
        self.network.stopped.fill_(count <= self.k)

    def _check(self, clusters: Clusters) -> None:
        if (count := int(clusters.max()) + 1) < self.k:
            raise IICError(
                f"{self.context.name}: the nearest neighbours of {len(clusters):,} images make "
                f"{count:,} clusters before the first merging, and k is {self.k}\n"
                f"  remedy: k of at most {count}"
            )

    def _graph(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        with threadpool_limits(self.settings.threads):
            return nearest(points, self.settings.graph.neighbours)

    def _features(self, images: Tensor) -> Points:
        return np.concatenate([part.cpu().numpy() for part in self.evaluations(images)])

    def _pixels(self) -> Points:
        """Pixels of the training images, brought to length 1, (n, pixels)."""
        parts: Iterator[Tensor] = (
            normalize(self.inputs(batch).flatten(1), dim=1)
            for batch in torch.split(self.training, self.evaluation_batch)
        )
        return np.concatenate([part.cpu().numpy() for part in parts])
