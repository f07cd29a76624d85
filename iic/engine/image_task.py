"""Tasks on images of which each is one example: their data, their evaluation, their transforms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from iic.augment.pipeline import Augmentation
from iic.augment.pipeline import build as build_augmentation
from iic.engine.store import ImageStore
from iic.engine.task import N, Predictions, Task


class ImageTask(Task[N]):
    """A task on whole images. A method writes `build`, `loss` and `evaluate`."""

    @abstractmethod
    def evaluate(self, indices: Tensor) -> Tensor:
        """What the network says of images without random transforms.

        Returns:
            For `predict` a number for each cluster, (n, h, k), the largest the image's.
        """

    @cached_property
    def store(self) -> ImageStore:
        """The images that are trained on or evaluated."""
        needed = np.union1d(self.training.numpy(), self.evaluated.numpy())
        return ImageStore(self.context.data.images, self.device, needed=needed)

    def evaluations(self, indices: Tensor, *, training: bool = False) -> Iterator[Tensor]:
        """What `evaluate` says of images, without gradients, batch by batch.

        Args:
            indices: Images, in the order in which they are wanted, (n,).
            training: Whether BatchNorm normalises by the batch and moves its running statistics.
        """
        self.network.train(training)
        with torch.no_grad():
            for batch in torch.split(indices, self.evaluation_batch):
                yield self.evaluate(batch)
        self.network.train()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities (n, h, k) of what `evaluate` says: here the same."""
        return outputs

    def predict(self, probabilities: bool = False) -> Predictions:
        """The cluster of the largest output, (n, h).

        Memory does not grow with the dataset beyond what is returned.
        """
        small = np.min_scalar_type(self.k - 1)
        clusters, kept = [], []
        for outputs in self.evaluations(self.evaluated):
            clusters.append(outputs.argmax(dim=2).cpu().numpy().astype(small))
            if probabilities:
                kept.append(self.probabilities(outputs).half().cpu().numpy())
        return Predictions(
            np.concatenate(clusters), np.concatenate(kept) if probabilities else None
        )

    def refresh_statistics(self) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        for _ in self.evaluations(self.evaluated, training=True):
            pass


class AugmentedTask(ImageTask[N]):
    """A task on images with the random transforms that the settings describe."""

    @cached_property
    def augmentation(self) -> Augmentation:
        """The random transforms g."""
        return build_augmentation(self.settings.augmentation)

    def evaluate(self, indices: Tensor) -> Tensor:
        """What the network says of images without random transforms, float32."""
        images = self.augmentation.evaluation(self.store.batch(indices))
        outputs: Tensor = self.forward(self.network, images)
        return outputs.float()
