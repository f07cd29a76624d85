"""What tasks share that learn features of images and have them clustered afterwards by k-means."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from iic.augment.pipeline import Augmentation
from iic.augment.pipeline import build as build_augmentation
from iic.engine.clustering.kmeans import Clustering, kmeans
from iic.engine.context import RunContext
from iic.engine.device import autocast
from iic.engine.seeding import derive
from iic.engine.store import ImageStore
from iic.engine.task import HeadPass, Predictions
from iic.params.features import FeatureSettings

Points = npt.NDArray[np.float32]
F = TypeVar("F", bound=FeatureSettings)


class FeatureTask(ABC, Generic[F]):
    """A network whose outputs are features, trained in batches of images without labels.

    There is one "sub-head", k-means on the features of the evaluated images, and its loss is the
    inertia.

    Args:
        context: The run; its protocol says which images get clusters.
        device: Where to run.
    """

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        settings: F = context.settings
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = settings.compute
        self.k = settings.k
        self.augmentation: Augmentation = build_augmentation(settings.augmentation)
        self.settings = settings
        training = context.data.indices(settings.splits)
        self._training = torch.from_numpy(training)
        self._evaluated = torch.from_numpy(context.protocol.images)
        needed = np.union1d(training, context.protocol.images)
        self.store = ImageStore(context.data.images, device, needed=needed)
        compute = self.compute
        self._layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        torch.manual_seed(derive(self.seed, "network"))
        self.module = self.build().to(device).to(memory_format=self._layout)
        self._forward = torch.compile(self.module) if compute.compile else self.module
        self._found: tuple[Points, Clustering] | None = None

    @abstractmethod
    def build(self) -> nn.Module:
        """The network, freshly initialised from torch's global generator; it gives features."""

    @abstractmethod
    def points(self, batch: int) -> Points:
        """Points that stand for the evaluated images in k-means, (n, d), in their order."""

    @abstractmethod
    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, on the host."""

    @abstractmethod
    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The objective on one batch, (1,)."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        return self.module

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters."""
        return [{"params": list(self.module.parameters())}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, over as many images as there are."""
        return [HeadPass("features")]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._training) / self.settings.batch_images)

    def examples(self, indices: Tensor) -> int:
        """Images of a batch."""
        return len(indices)

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1); k-means has no probabilities.

        They are asked for once, at the end: that k-means has all its restarts, those that watch the
        training have few.
        """
        settings = self.settings
        restarts = settings.restarts if probabilities else settings.watch_restarts
        points = self.points(batch)
        self._found = (points, self._cluster(points, restarts))
        return Predictions(self._found[1].clusters[:, None], None)

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        for _ in self.features(self._evaluated, batch, training=True):
            pass

    def selection_losses(self) -> tuple[float, ...] | None:
        """Inertia of the clusters of the evaluated images under the present weights."""
        points = self.points(self.settings.schedule.evaluation_batch)
        if self._found is not None and np.array_equal(self._found[0], points):
            return (self._found[1].inertia,)
        # earlier weights: the same clusters once more as when the training was watched
        return (self._cluster(points, self.settings.watch_restarts).inertia,)

    def features(self, indices: Tensor, batch: int, *, training: bool = False) -> Iterator[Points]:
        """Features of images without random transforms, (U, d) for each batch of `batch`.

        Args:
            indices: Images, in the order in which they are wanted, (n,).
            batch: Images in a batch; matters where BatchNorm has no running statistics.
            training: Whether BatchNorm normalises by the batch and moves its running statistics.
        """
        self.module.train(training)
        with torch.no_grad():
            for chosen in torch.split(indices, batch):
                images = self.augmentation.evaluation(self.store.batch(chosen))
                yield self.forward(images).cpu().numpy()
        self.module.train()

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, d) float32 of what the network sees (N, C, s, s)."""
        with autocast(self.device, self.compute):
            features: Tensor = self._forward(images.contiguous(memory_format=self._layout))
        return features.float()

    def _cluster(self, points: Points, restarts: int) -> Clustering:
        settings = self.settings
        return kmeans(
            points,
            self.k,
            seed=derive(self.seed, "kmeans"),
            threads=settings.threads,
            restarts=restarts,
            max_iterations=settings.max_iterations,
        )
