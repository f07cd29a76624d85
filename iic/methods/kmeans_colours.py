"""k-means on the colours of single pixels (Table 4, row "K-means").

Source: the released code (docs/spec/baselines.md#k-means-on-colours): mini-batch k-means on the raw
colours (RGB, or RGB and infrared) of pixels from random crops of the training images, those left
out that the training mask leaves out; then each scored pixel gets its nearest centre.

Our choices where the source is silent: each image gives at most the same number of pixels, drawn
without replacement, and images come in random order.

Known deviation: not scikit-learn's mini-batches from a few starting points, but the house's
`iic.engine.clustering.streamed`, whose first centres are those of k-means on the first 50,000
pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.engine.clustering.settings import FIRST_POINTS
from iic.params.cost import Cost, evaluated_images, kmeans_operations
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings, Problem
from iic.params.operations import Count
from iic.params.segmentation import SKY, MapSettings
from iic.params.splits import image_count, split_problems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iic.engine.context import Outcome, RunContext
    from iic.engine.map_context import MapContext


class Settings(MethodSettings):
    """Settings of k-means on colours."""

    k: int = Field(ge=2)
    """Clusters."""
    input_size: int = Field(ge=1)
    """Side of the crop, as the network of the same column takes it."""
    maps: MapSettings = MapSettings()
    splits: tuple[str, ...] = ()
    """Splits that pixels are drawn from; empty: the whole dataset."""
    samples: int = Field(10_000_000, ge=1)
    """Most pixels that the centres are found on."""
    restarts: int = Field(3, ge=1)
    """Of the k-means of the pixels that come first; the run of lowest inertia is kept."""

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of k-means; the reading of images is not counted."""
        crop, colours = self.input_size**2, dataset.image.channels
        sampled = min(self.samples, image_count(self.splits, dataset) * crop)
        scored = evaluated_images(self.evaluation, dataset) * crop
        first = kmeans_operations(
            min(sampled, FIRST_POINTS), colours, self.k, restarts=self.restarts, iterations=300
        )
        return Cost(clustering=first + kmeans_operations(sampled + scored, colours, self.k))

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the dataset has label maps, and crops of this size."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        classes = len(dataset.classes)
        if dataset.maps is None:
            yield Problem(
                "maps", f"{dataset.title} has one label an image", "a dataset with label maps"
            )
            return
        if not classes <= self.k <= self.samples:
            yield Problem(
                "k",
                f"{self.k} clusters for {classes} classes and {self.samples} pixels",
                f"{classes} to {self.samples}",
            )
        least = min(dataset.maps.least_side, dataset.image.height, dataset.image.width)
        if self.input_size > least:
            yield Problem(
                "input_size",
                f"a crop of side {self.input_size} does not fit into images of {dataset.title}",
                f"at most {least}",
            )
        if self.maps.unlabelled_as_sky and SKY not in dataset.classes:
            yield Problem(
                "maps.unlabelled_as_sky", f"{dataset.title} has no class {SKY!r}", "false"
            )


CHUNK = 65_536
"""Pixels that are clustered together."""


def train(context: RunContext[Settings]) -> Outcome:
    """Find the centres, and count how often each meets each class.

    Raises:
        IICError: Fewer pixels are left to draw from than there are clusters.
    """
    import numpy as np

    from iic.engine.clustering.streamed import streamed_kmeans
    from iic.engine.context import Checkpoint, Outcome
    from iic.engine.map_context import MapContext
    from iic.engine.map_windows import count, in_chunks, scored_areas

    assert isinstance(context, MapContext)
    settings = context.settings
    clustering = streamed_kmeans(
        in_chunks(_sample(context), CHUNK),
        settings.k,
        name=context.name,
        seed=context.seed,
        threads=settings.threads,
        restarts=settings.restarts,
    )
    counts = np.zeros((len(context.protocol.images), 1, settings.k, context.classes), np.int32)
    areas = scored_areas(context, settings.maps, settings.input_size)
    for row, (pixels, classes) in enumerate(areas):
        scored = np.flatnonzero(classes.ravel() >= 0)
        if not len(scored):
            continue
        colours = pixels.reshape(len(pixels), -1)[:, scored].T.astype(np.float32)
        clusters = clustering.assign(colours, settings.threads)
        counts[row, 0] = count(clusters, classes.ravel()[scored], settings.k, context.classes)
    checkpoint = Checkpoint(0, counts, (clustering.inertia,))
    return Outcome(
        last=checkpoint,
        best_label=checkpoint,
        k=settings.k,
        precision="float32",
        tensors={"centres": clustering.centres},
    )


def _sample(context: MapContext[Settings]) -> Iterator[NDArray[np.float32]]:
    """Colours of pixels from one random crop of each training image, (n, channels) an image."""
    import numpy as np

    from iic.engine.map_windows import training_crops

    settings = context.settings
    draw = np.random.default_rng(context.seed)
    each = max(1, settings.samples // len(context.data.indices(settings.splits)))
    crops = training_crops(
        context, settings.maps, settings.input_size, settings.splits, draw, settings.samples
    )
    for pixels, classes in crops:
        free = np.arange(classes.size)
        if settings.maps.training_mask:
            free = np.flatnonzero(classes.ravel() >= 0)
        chosen = draw.choice(free, min(each, len(free)), replace=False)
        yield pixels.reshape(len(pixels), -1)[:, chosen].T.astype(np.float32)
