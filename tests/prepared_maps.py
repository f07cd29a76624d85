"""A prepared dataset with a class for every pixel in memory, for tests of what uses one."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from iic.data.load_maps import PreparedMaps
from iic.params.datasets import ImageShape, LabelMaps
from iic.records.prepared import ImagesRecord, Split
from iic.records.prepared_maps import LabelMapsRecord, MapManifest


def prepared_maps(
    images: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    splits: dict[str, int] | None = None,
    sizes: np.ndarray | None = None,
    tiles: int | None = None,
    names: tuple[str, ...] | None = None,
) -> PreparedMaps:
    """Images (N, C, H, W) and label codes (N, H, W), both uint8, as training reads them."""
    number, channels, height, width = images.shape
    splits = splits or {"all": number}
    stops = list(accumulate(splits.values()))
    known = {"sha256": "0" * 64, "size": 1}
    sizes = np.tile(np.array([height, width]), (number, 1)) if sizes is None else sizes
    names = names or tuple(f"scene/{index:03d}" for index in range(number))
    manifest = MapManifest(
        dataset="test",
        stand_in=False,
        image=ImageShape(channels=channels, height=height, width=width),
        count=number,
        classes=classes,
        splits=tuple(
            Split(name=name, start=stop - count, stop=stop)
            for (name, count), stop in zip(splits.items(), stops, strict=True)
        ),
        maps=LabelMaps(scale=1.0, least_side=int(sizes.min()), tiles=tiles),
        images=ImagesRecord(path="images.npy", shape=images.shape, **known),
        labels=LabelMapsRecord(path="labels.npy", shape=labels.shape, **known),
        names=names,
        sizes=tuple((int(h), int(w)) for h, w in sizes),
        empty=(),
    )
    return PreparedMaps(images, labels, sizes.astype(np.int64), names, manifest)
