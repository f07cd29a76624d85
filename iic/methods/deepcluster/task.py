"""Training by DeepCluster: pseudo-labels by k-means before each epoch, then classification."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from iic.engine.clustering.kmeans import kmeans
from iic.engine.clustering.whitening import Whitening, fit_whitening
from iic.engine.context import Outcome, RunContext
from iic.engine.device import configure, leased_device
from iic.engine.feature_task import FeatureTask, Points
from iic.engine.loop import Loop
from iic.engine.seeding import derive, generator
from iic.engine.task import HeadPass
from iic.methods.deepcluster.network import DeepClusterNetwork
from iic.methods.deepcluster.settings import DeepClusterSettings
from iic.methods.deepcluster.uniform import uniform_over_clusters

log = logging.getLogger(__name__)

CPU = torch.device("cpu")


class DeepClusterTask(FeatureTask[DeepClusterSettings]):
    """What the training loop needs to know about DeepCluster; arguments as for `FeatureTask`."""

    module: DeepClusterNetwork

    def build(self) -> nn.Module:
        """Trunk, feature layer and top layer."""
        settings = self.settings
        return DeepClusterNetwork(
            settings.network,
            features=settings.features,
            clusters=settings.clusters,
            images=len(self._training),
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The top layer apart: it has no momentum, as in the official code.

        So nothing of the optimiser belongs to a layer that is forgotten before each epoch.
        """
        top = list(self.module.top.parameters())
        apart = {id(parameter) for parameter in top}
        rest = [one for one in self.module.parameters() if id(one) not in apart]
        return [{"params": rest}, {"params": top, "momentum": 0.0}]

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Images of every batch, uniformly over the pseudo-labels of the epoch, on the host."""
        draw = generator(CPU, self.seed, "order", epoch, position)
        places = uniform_over_clusters(self.module.pseudo_labels.cpu(), draw)
        return list(torch.split(places, self.settings.batch_images))

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the pseudo-labels of transformed images, (1,).

        Args:
            one: The pass.
            indices: Places of the batch's images among the training images, (U,).
            draw: Source of the transforms' parameters.
        """
        images = self.store.batch(self._training[indices])
        features = self.forward(self.augmentation.transformed(images, 1, draw))
        labels = self.module.pseudo_labels[indices.to(self.device)].long()
        return cross_entropy(self.module.classify(features), labels).reshape(1)

    def recluster(self, epoch: int) -> None:
        """Give every training image a new pseudo-label, and forget the top layer.

        Features are computed twice, in batches; what is held of them are `components` numbers an
        image.
        """
        settings, batch = self.settings, self.settings.schedule.evaluation_batch
        directions = self._directions(self._training, batch)
        points = self._projected(directions, self._training, batch)
        found = kmeans(
            points,
            settings.clusters,
            seed=derive(self.seed, "pseudo-labels", epoch),
            threads=settings.threads,
            restarts=settings.pseudo_restarts,
            max_iterations=settings.pseudo_iterations,
        )
        self.module.pseudo_labels.copy_(torch.from_numpy(found.clusters.astype(np.int32)))
        self.module.reset_top(generator(CPU, self.seed, "top", epoch))
        sizes = np.bincount(found.clusters)
        log.info(
            "%s: epoch %d: %d clusters of %d to %d images",
            self.context.name, epoch + 1, (sizes > 0).sum(), sizes[sizes > 0].min(), sizes.max(),
        )  # fmt: skip

    def points(self, batch: int) -> Points:
        """Principal components of the evaluated images' features, each of length 1."""
        directions = self._directions(self._evaluated, batch)
        if self.settings.evaluate_on == "principal":
            directions = unscaled(directions)
        return self._projected(directions, self._evaluated, batch)

    def _projected(self, directions: Whitening, images: Tensor, batch: int) -> Points:
        with threadpool_limits(self.settings.threads):
            return np.concatenate([directions(one) for one in self.features(images, batch)])

    def _directions(self, images: Tensor, batch: int) -> Whitening:
        """Whitening of these images' features, found on some of them where they are many."""
        most = self.settings.directions_images
        if most is not None and len(images) > most:
            draw = generator(CPU, self.seed, "directions")
            images = images[torch.randperm(len(images), generator=draw)[:most].sort().values]
        with threadpool_limits(self.settings.threads):
            return fit_whitening(
                self.features(images, batch), self.settings.components, self.context.name
            )


def unscaled(whitening: Whitening) -> Whitening:
    """The same principal directions, each of length 1 instead of divided by its deviation."""
    lengths = np.linalg.norm(whitening.projection, axis=0, keepdims=True)
    return Whitening(whitening.mean, (whitening.projection / lengths).astype(np.float32))


class DeepClusterLoop(Loop):
    """The training loop, with new pseudo-labels before each epoch."""

    task: DeepClusterTask

    def begin_epoch(self, epoch: int) -> None:
        """New pseudo-labels, which follow from the weights and are then in the network."""
        self.task.recluster(epoch)


def train_deepcluster(context: RunContext[Any]) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run, with `DeepClusterSettings`.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    settings: DeepClusterSettings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = DeepClusterTask(context, device)
        return DeepClusterLoop(task, settings.optimiser, settings.schedule, deterministic).run()
