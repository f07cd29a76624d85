"""k-means on raw pixels (Table 1, row "K-means").

The paper quotes the number from earlier work (Wang et al., TKDE 2015), whose exact pixels and
restarts are unpublished. Here: Lloyd's algorithm with k-means++ seeding on all pixels of the
evaluated images scaled to [0, 1], several restarts, the one of lowest inertia kept (scikit-learn).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, kmeans_operations
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings, Problem
from iic.params.operations import Count
from iic.params.splits import image_count

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(MethodSettings):
    """Settings of k-means."""

    k: int = Field(ge=2)
    """Clusters."""
    restarts: int = Field(10, ge=1)
    max_iterations: int = Field(300, ge=1)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of k-means."""
        operations = kmeans_operations(
            evaluated_images(self.evaluation, dataset),
            dataset.image.height * dataset.image.width * dataset.image.channels,
            self.k,
            restarts=self.restarts,
            iterations=self.max_iterations,
        )
        return Cost(clustering=operations)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are enough images and classes for k clusters."""
        yield from super().problems(dataset)
        count = image_count(self.evaluation.test, dataset)
        if not len(dataset.classes) <= self.k <= count:
            yield Problem(
                "k",
                f"{self.k} clusters for {len(dataset.classes)} classes and {count} images",
                f"{len(dataset.classes)} to {count}",
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Cluster the pixels; the one "sub-head" has the inertia as its loss."""
    import numpy as np

    from iic.engine.clustering.kmeans import kmeans
    from iic.engine.context import Checkpoint, Outcome

    settings = context.settings
    images = context.data.images[context.protocol.images]
    clustering = kmeans(
        images.reshape(len(images), -1).astype(np.float32) / 255,
        settings.k,
        seed=context.seed,
        threads=settings.threads,
        restarts=settings.restarts,
        max_iterations=settings.max_iterations,
    )
    checkpoint = Checkpoint(0, clustering.clusters[:, None], (clustering.inertia,))
    return Outcome(
        last=checkpoint,
        best_label=None if context.data.labels is None else checkpoint,
        k=settings.k,
        precision="float32",
        tensors={"centres": clustering.centres},
    )
