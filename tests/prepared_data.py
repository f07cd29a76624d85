"""A prepared dataset in memory, for tests of what is trained on one."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from iic.data.load import PreparedData
from iic.params.datasets import ImageShape
from iic.records.prepared import ImagesRecord, LabelsRecord, PreparedManifest, Split


def prepared(
    images: np.ndarray,
    labels: np.ndarray | None,
    classes: int,
    splits: dict[str, int] | None = None,
    folds: tuple[tuple[int, ...], ...] | None = None,
) -> PreparedData:
    """Images (N, C, H, W) uint8 and labels (N,) or None as training reads them."""
    splits = splits or {"all": len(images)}
    stops = list(accumulate(splits.values()))
    known = {"sha256": "0" * 64, "size": 1}
    channels, height, width = images.shape[1:]
    manifest = PreparedManifest(
        dataset="test",
        stand_in=False,
        image=ImageShape(channels=channels, height=height, width=width),
        count=len(images),
        classes=tuple(str(one) for one in range(classes)),
        splits=tuple(
            Split(name=name, start=stop - count, stop=stop)
            for (name, count), stop in zip(splits.items(), stops, strict=True)
        ),
        images=ImagesRecord(path="images.npy", shape=images.shape, **known),
        labels=None
        if labels is None
        else LabelsRecord(path="labels.npy", shape=labels.shape, **known),
        folds=folds,
    )
    return PreparedData(images, labels, manifest)
