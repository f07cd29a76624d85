"""k-means on the colours of single pixels (Table 4, row "K-means").

Source: the released code (spec/iic.md, 4.5): mini-batch k-means with scikit-learn's defaults on the
raw colours (RGB, or RGB and infrared) of pixels from random crops of the training images, those
left out that the training mask leaves out; then each scored pixel gets its nearest centre.

Our choice where the source is silent: each image gives at most the same number of pixels, drawn
without replacement.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from iic.params.datasets import Dataset
from iic.params.method import MethodSettings, Problem
from iic.params.segmentation import SKY, MapSettings
from iic.params.splits import split_problems

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


def train(context: RunContext[Settings]) -> Outcome:
    """Find the centres, and count how often each meets each class.

    Raises:
        IICError: No pixel is left to draw from.
    """
    import numpy as np
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    from iic.engine.context import Checkpoint, Outcome
    from iic.engine.map_context import MapContext
    from iic.params.errors import IICError

    assert isinstance(context, MapContext)
    settings = context.settings
    pixels = _sample(context)
    if len(pixels) < settings.k:
        raise IICError(
            f"{context.name}: {len(pixels)} pixels for {settings.k} clusters: the mask leaves out "
            "the others; see `samples` and `splits`"
        )
    with threadpool_limits(settings.threads):
        model = MiniBatchKMeans(settings.k, random_state=context.seed).fit(pixels)
        images = context.protocol.images
        counts = np.zeros((len(images), 1, settings.k, context.classes), np.int32)
        for row, index in enumerate(images):
            counts[row, 0] = _counts(context, int(index), model)
    checkpoint = Checkpoint(0, counts, (float(model.inertia_),))
    return Outcome(
        last=checkpoint,
        best_label=checkpoint,
        k=settings.k,
        precision="float32",
        tensors={"centres": np.ascontiguousarray(model.cluster_centers_)},
    )


def _sample(context: MapContext[Settings]) -> NDArray[np.float32]:
    """Colours of pixels from one random crop of each training image, (samples, channels)."""
    import numpy as np

    settings, data = context.settings, context.data
    draw = np.random.default_rng(context.seed)
    classes = context.classes_of(settings.maps)
    indices = data.indices(settings.splits)
    each = max(1, settings.samples // len(indices))
    if each * len(indices) > settings.samples:
        indices = np.sort(draw.choice(indices, settings.samples, replace=False))
    side, found = settings.input_size, []
    for index in indices:
        top, left = (int(draw.integers(0, room + 1)) for room in data.sizes[index] - side)
        window = data.images[index, :, top : top + side, left : left + side]
        free = np.arange(side * side)
        if settings.maps.training_mask:
            codes = data.labels[index, top : top + side, left : left + side]
            free = np.flatnonzero(classes[codes.ravel()] >= 0)
        chosen = draw.choice(free, min(each, len(free)), replace=False)
        found.append(window.reshape(len(window), -1)[:, chosen].T)
    return np.concatenate(found).astype(np.float32)


def _counts(context: MapContext[Settings], index: int, model: Any) -> NDArray[np.int64]:
    """Scored pixels of one image by cluster and class, (k, classes)."""
    import numpy as np

    settings, data = context.settings, context.data
    rows, columns = context.area(index, settings.maps, settings.input_size)
    truth = context.classes_of(settings.maps)[data.labels[index, rows, columns].ravel()]
    scored = np.flatnonzero(truth >= 0)
    shape = (settings.k, context.classes)
    if not len(scored):
        return np.zeros(shape, np.int64)
    image = data.images[index, :, rows, columns]
    clusters = model.predict(image.reshape(len(image), -1)[:, scored].T.astype(np.float32))
    cells = clusters.astype(np.int64) * context.classes + truth[scored]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
