"""Tasks on images with a class for every pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.engine.clustering.pixels import Embed, cluster_pixels, count_clusters
from iic.engine.context import RunContext
from iic.engine.map_context import MapContext
from iic.engine.map_images import MapImages, Windows
from iic.engine.task import N, Predictions, Task


class MapTask(Task[N]):
    """A task on parts of images. A method writes `build`, `loss`, `predict` and `evaluate`."""

    context: MapContext[Any]

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        assert isinstance(context, MapContext)
        super().__init__(context, device)

    @abstractmethod
    def evaluate(self, pixels: Tensor) -> Tensor:
        """What the network says of windows without random transforms, (b, ..., h', w').

        Args:
            pixels: Windows (b, C, h, w) uint8, on the device.
        """

    @cached_property
    def images(self) -> MapImages:
        """The images that are trained on or evaluated, and their label maps."""
        return MapImages(
            self.context,
            maps=self.settings.maps,
            augmentation=self.settings.augmentation,
            training=self.training,
            device=self.device,
        )

    def evaluations(
        self, images: NDArray[np.int64], *, training: bool = False
    ) -> Iterator[tuple[NDArray[np.int64], Tensor, Windows]]:
        """What `evaluate` says of the scored part of images, without gradients, batch by batch.

        Args:
            images: Images, (n,).
            training: Whether BatchNorm normalises by the batch and moves its running statistics.

        Yields:
            Positions in `images`, what `evaluate` says, and the windows.
        """
        self.network.train(training)
        with torch.no_grad():
            for rows, windows in self.images.areas(images, self.evaluation_batch):
                yield rows, self.evaluate(windows.pixels), windows
        self.network.train()

    def refresh_statistics(self) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        for _ in self.evaluations(self.evaluated.numpy(), training=True):
            pass


class PixelFeatureTask(MapTask[N]):
    """A task whose network gives features of pixels, (b, d, h', w') float32 from `evaluate`.

    They are clustered anew for the present weights, as `settings.evaluation_clusters` say. There is
    one "sub-head", and nothing to compare it with.
    """

    def embedding(self) -> Embed:
        """What gives the features of windows that are clustered: here `evaluate`."""
        return self.evaluate

    def predict(self, probabilities: bool = False) -> Predictions:
        """Pixels of each cluster and class in the evaluated images, (n, 1, k, classes) int32.

        Raises:
            IICError: The mask leaves fewer pixels than clusters, or a feature is not finite.
        """
        self.network.eval()
        embed = self.embedding()
        clusters = cluster_pixels(
            self.images,
            embed,
            self.k,
            self.settings.evaluation_clusters,
            name=self.context.name,
            seed=self.seed,
            threads=self.settings.threads,
            batch=self.evaluation_batch,
        )
        counts = count_clusters(
            self.images, embed, clusters.centres, self.context.classes, self.evaluation_batch
        )
        self.network.train()
        return Predictions(counts, None)
