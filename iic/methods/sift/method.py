"""k-means on dense SIFT descriptors (Table 4, row "SIFT").

Source: the released code (docs/spec/baselines.md#sift): VLFeat's dense SIFT of the grey image every
10 pixels, 128 numbers as uint8, floor(side / 10)^2 descriptors an image (144 for 128 pixels, 400
for 200); each has the label of the pixel in the middle of its box of 10 pixels; mini-batch k-means;
accuracy over descriptors only. So what is counted here are descriptors, not pixels.

Our choices where the source is silent: centres are found on all descriptors of one random crop of
each training image, those left out that the training mask leaves out; infrared is not in the grey
image.

Kept as a switch: the released code reads COCO's images as blue, green, red, and turns them to grey
with the weights of red, green, blue (``channel_order``: bgr). `corrected` would be rgb.

Known deviations: `iic.methods.sift.descriptors` in place of VLFeat, from which its numbers differ
by at most 3 of 255 (it has its own arc tangent and square root); the house's streamed k-means in
place of scikit-learn's mini-batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

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

LEAST_SIDE = 10
"""Pixels of the smallest image with a descriptor."""
CHUNK = 16_384
"""Descriptors that are clustered together."""
LUMA = (0.299, 0.587, 0.114)
"""As in `iic.augment.greyscale`, which needs torch."""


class Settings(MethodSettings):
    """Settings of k-means on SIFT descriptors."""

    k: int = Field(ge=2)
    """Clusters."""
    input_size: int = Field(ge=1)
    """Side of the crop, as the network of the same column takes it."""
    channel_order: Literal["rgb", "bgr"] = "rgb"
    """`bgr`: the released code never swaps OpenCV's channels of COCO, so that the grey image has
    the weights of red and blue swapped."""
    maps: MapSettings = MapSettings()
    splits: tuple[str, ...] = ()
    """Splits that descriptors are taken from; empty: the whole dataset."""
    restarts: int = Field(3, ge=1)
    """Of the k-means of the descriptors that come first; the run of lowest inertia is kept."""

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of descriptors and of k-means; the reading of images is not counted."""
        images = image_count(self.splits, dataset)
        looked_at = images + evaluated_images(self.evaluation, dataset)
        side, rows = self.input_size, self.input_size // LEAST_SIDE
        # 8 orientations, summed into 4 bins a descriptor along columns, then along rows
        length = 8 * 4**2
        describing = 16.0 * (4 * rows * side**2 + (4 * rows) ** 2 * side)
        first = kmeans_operations(
            min(images * rows**2, FIRST_POINTS),
            length,
            self.k,
            restarts=self.restarts,
            iterations=300,
        )
        later = kmeans_operations(looked_at * rows**2, length, self.k)
        return Cost(clustering=looked_at * describing + first + later)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the dataset has label maps, and crops of this size with enough descriptors."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        if dataset.maps is None:
            yield Problem(
                "maps", f"{dataset.title} has one label an image", "a dataset with label maps"
            )
            return
        if dataset.image.channels < 3:
            yield Problem(
                "maps", f"images of {dataset.title} have no three colours", "a dataset of colours"
            )
        least = min(dataset.maps.least_side, dataset.image.height, dataset.image.width)
        if not LEAST_SIDE <= self.input_size <= least:
            yield Problem(
                "input_size",
                f"a crop of side {self.input_size} of {dataset.title}: a descriptor needs "
                f"{LEAST_SIDE} pixels, and the smallest image has {least}",
                f"{LEAST_SIDE} to {least}",
            )
        classes = len(dataset.classes)
        most = image_count(self.splits, dataset) * (self.input_size // LEAST_SIDE) ** 2
        if not classes <= self.k or 0 < most < self.k:
            yield Problem(
                "k",
                f"{self.k} clusters for {classes} classes and {most} descriptors",
                f"{classes} to {most}",
            )
        if self.maps.unlabelled_as_sky and SKY not in dataset.classes:
            yield Problem(
                "maps.unlabelled_as_sky", f"{dataset.title} has no class {SKY!r}", "false"
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Find the centres, and count how often each meets each class.

    Raises:
        IICError: Fewer descriptors are left by the mask than there are clusters.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    from iic.engine.clustering.streamed import streamed_kmeans
    from iic.engine.context import Checkpoint, Outcome
    from iic.engine.map_context import MapContext
    from iic.engine.map_windows import count, in_chunks, scored_areas

    assert isinstance(context, MapContext)
    settings = context.settings
    counts = np.zeros((len(context.protocol.images), 1, settings.k, context.classes), np.int32)
    with threadpool_limits(settings.threads):
        clustering = streamed_kmeans(
            in_chunks(_training(context), CHUNK),
            settings.k,
            name=context.name,
            seed=context.seed,
            threads=settings.threads,
            restarts=settings.restarts,
        )
        areas = scored_areas(context, settings.maps, settings.input_size)
        for row, (pixels, classes) in enumerate(areas):
            descriptors, truth = described(pixels, classes, settings.channel_order)
            scored = truth >= 0
            if scored.any():
                clusters = clustering.assign(descriptors[scored], settings.threads)
                counts[row, 0] = count(clusters, truth[scored], settings.k, context.classes)
    checkpoint = Checkpoint(0, counts, (clustering.inertia,))
    return Outcome(
        last=checkpoint,
        best_label=checkpoint,
        k=settings.k,
        precision="float32",
        tensors={"centres": clustering.centres},
    )


def described(
    pixels: NDArray[np.uint8], classes: NDArray[np.int64], channel_order: Literal["rgb", "bgr"]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Descriptors of an image, row after row, and the class of each box's middle.

    Args:
        pixels: (C, h, w), red, green and blue first.
        classes: (h, w).
        channel_order: Whose weights of grey the three colours get.

    Returns:
        (n, 128), whole numbers of 0 to 255; and (n,).
    """
    import numpy as np

    from iic.methods.sift.descriptors import NUMBERS, box_centres, dense_sift

    weights = np.array(LUMA if channel_order == "rgb" else LUMA[::-1], np.float32)
    grey = np.tensordot(weights, pixels[: len(LUMA)].astype(np.float32), axes=1)
    descriptors = dense_sift(grey[None])[0].reshape(-1, NUMBERS).astype(np.float32)
    rows, columns = (box_centres(size) for size in classes.shape)
    return descriptors, classes[rows][:, columns].ravel()


def _training(context: MapContext[Settings]) -> Iterator[NDArray[np.float32]]:
    """Descriptors of one random crop of each training image, (n, 128) an image."""
    import numpy as np

    from iic.engine.map_windows import training_crops

    settings = context.settings
    draw = np.random.default_rng(context.seed)
    crops = training_crops(context, settings.maps, settings.input_size, settings.splits, draw)
    for pixels, classes in crops:
        descriptors, truth = described(pixels, classes, settings.channel_order)
        yield descriptors[truth >= 0] if settings.maps.training_mask else descriptors
