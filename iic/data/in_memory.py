"""A dataset that was never prepared: arrays as a training takes them, without files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.load import PreparedData
from iic.params.datasets import ImageShape
from iic.records.prepared import ImagesRecord, LabelsRecord, PreparedManifest, Split


def in_memory(
    images: NDArray[Any],
    labels: NDArray[np.int64] | None = None,
    classes: int = 0,
    splits: Mapping[str, int] | None = None,
    folds: tuple[tuple[int, ...], ...] | None = None,
) -> PreparedData:
    """Arrays in memory, or mapped from a file, as a prepared dataset.

    Its checksums are those of the arrays' bytes, since there are no files.

    Args:
        images: uint8, (count, channels, height, width).
        labels: int64, (count,), -1 where an image has none; None when no image has one.
        classes: Number of classes; their names are their numbers.
        splits: Split -> count, in order; None for one split of all.
        folds: Places of each fold's images in the split `train`, if there are folds.

    Raises:
        ValueError: The splits, labels or folds do not fit the images.
    """
    count, channels, height, width = images.shape
    sizes = splits or {"all": count}
    stops = accumulate(sizes.values())
    manifest = PreparedManifest(
        dataset="in_memory",
        stand_in=False,
        image=ImageShape(channels=channels, height=height, width=width),
        count=count,
        classes=tuple(map(str, range(classes))),
        splits=tuple(
            Split(name=name, start=stop - size, stop=stop)
            for (name, size), stop in zip(sizes.items(), stops, strict=True)
        ),
        images=ImagesRecord(
            path="images.npy", shape=(count, channels, height, width), **content_record(images)
        ),
        labels=None
        if labels is None
        else LabelsRecord(path="labels.npy", shape=(len(labels),), **content_record(labels)),
        folds=folds,
    )
    return PreparedData(images, labels, manifest)


def content_record(array: NDArray[Any]) -> dict[str, Any]:
    """Checksum and size of an array's bytes, as records of files have them."""
    digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    return {"sha256": digest, "size": array.nbytes}
