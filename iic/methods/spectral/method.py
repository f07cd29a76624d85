"""Spectral clustering of raw pixels (Table 1, row "Spectral clustering").

The paper quotes the number from earlier work, which names self-tuning spectral clustering
(Zelnik-Manor and Perona, NIPS 2004) and no other setting. What is clustered is a graph of images:

1. the nearest neighbours of each image by the Euclidean distance of pixels, exactly;
2. an edge between two images where one is among the other's neighbours, with the affinity
   exp(-d(i, j)^2 / (s_i s_j)); the local scale s_i is the distance of i to its 7th neighbour;
3. the k eigenvectors of largest eigenvalue of D^-1/2 A D^-1/2, D the sums of A's rows;
4. each image's row of the k eigenvectors, brought to length 1, clustered by k-means, whose inertia
   is the loss of the one "sub-head".

Our choices where the source is silent, or means a few hundred points: the graph of `neighbours` in
place of all pairs; k given, as everywhere in the table, and k-means (Ng, Jordan and Weiss, NIPS
2001) in place of the rotation that finds k by itself.

A graph in pieces has its eigenvalue 1 once for each of them, and a Lanczos iteration sees such an
eigenvalue only once. So each piece is solved by itself and gets at least one eigenvector. More
pieces than clusters leave open which of them belong together: an error. An image whose edges all
vanish beside the others' takes the row of the nearest neighbour that has one.

The affinity does not change with the unit of the pixels, so grey values are left as they are: whole
numbers, whose distances the search compares without rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.params.cost import Cost, evaluated_images, kmeans_operations
from iic.params.datasets import Dataset
from iic.params.errors import IICError
from iic.params.method import MethodSettings, Problem
from iic.params.operations import Count
from iic.params.splits import image_count

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext

LEAST_NEIGHBOURS = 7
"""The neighbour whose distance is an image's local scale has to be among them."""


class Settings(MethodSettings):
    """Settings of spectral clustering."""

    k: int = Field(ge=2)
    """Clusters, and eigenvectors."""
    neighbours: int = Field(20, ge=LEAST_NEIGHBOURS)
    """Nearest neighbours of each image in the graph, itself not counted."""
    restarts: int = Field(10, ge=1)
    """Of k-means, as `max_iterations`."""
    max_iterations: int = Field(300, ge=1)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of all distances, and of k-means; eigenvectors are not counted."""
        images = evaluated_images(self.evaluation, dataset)
        pixels = dataset.image.height * dataset.image.width * dataset.image.channels
        clustering = kmeans_operations(
            images, self.k, self.k, restarts=self.restarts, iterations=self.max_iterations
        )
        return Cost(clustering=2.0 * images**2 * pixels + clustering)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are enough images and classes for k clusters, and enough neighbours."""
        yield from super().problems(dataset)
        count = image_count(self.evaluation.test, dataset)
        if not len(dataset.classes) <= self.k <= count:
            yield Problem(
                "k",
                f"{self.k} clusters for {len(dataset.classes)} classes and {count} images",
                f"{len(dataset.classes)} to {count}",
            )
        if self.neighbours >= count:
            yield Problem(
                "neighbours",
                f"{self.neighbours} neighbours of each of {count} images",
                f"{LEAST_NEIGHBOURS} to {count - 1}",
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Build the graph and cluster it; labels are not looked at.

    Raises:
        IICError: The graph does not fit into the memory that is free, found before any work; it
            falls into more pieces than there are clusters; its eigenvectors are not found.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    from iic.engine.clustering.kmeans import kmeans
    from iic.engine.context import Checkpoint, Outcome
    from iic.methods.spectral.graph import affinity, embedding, nearest

    settings, chosen = context.settings, context.protocol.images
    pixels = int(np.prod(context.data.images.shape[1:]))
    _check_memory(context.name, len(chosen), pixels, settings)
    images = context.data.images[chosen]
    with threadpool_limits(settings.threads):
        distances, neighbours = nearest(
            images.reshape(len(images), -1).astype(np.float32), settings.neighbours
        )
        rows, values = embedding(
            affinity(distances, neighbours), neighbours, settings.k, context.seed, context.name
        )
    clustering = kmeans(
        rows,
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
        tensors={"centres": clustering.centres, "eigenvalues": values},
    )


def memory_needed(images: int, pixels: int, neighbours: int, k: int) -> int:
    """Most bytes held at once, from above: pixels, neighbours, the graph and its eigenvectors.

    Args:
        images: Images in the graph.
        pixels: Values of an image.
        neighbours: Neighbours of an image.
        k: Eigenvectors.
    """
    edges = 2 * images * neighbours
    held = 5 * images * pixels  # as bytes and as float32
    held += 3 * 16 * images * (neighbours + 1)  # distance and index; scale and exponent
    held += 4 * 16 * edges  # weight and index; one-sided, turned round, symmetric, normalised
    held += 5 * 8 * images * k  # Lanczos has twice as many vectors, and copies
    return held


def _check_memory(name: str, images: int, pixels: int, settings: Settings) -> None:
    import psutil

    needed = memory_needed(images, pixels, settings.neighbours, settings.k)
    available = psutil.virtual_memory().available
    if needed > available:
        raise IICError(
            f"{name}: the graph of {images:,} images with {settings.neighbours} neighbours takes "
            f"about {needed / 2**30:.1f} GiB, and {available / 2**30:.1f} GiB of memory are "
            "available\n  remedy: a machine with more memory, fewer images (evaluation) or fewer "
            "`neighbours`"
        )
