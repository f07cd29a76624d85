"""``iic predict``: what a model says of images that it may never have seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iic.own import backbones
from iic.own.answers import table_of
from iic.own.backbones import FrozenBackbone
from iic.own.decode import coloured, decode, in_channels
from iic.own.errors import OwnDataError, Unreadable
from iic.own.features import read_features
from iic.own.items import FileItem, Item, Listing, Skipped, flat_name
from iic.own.model import OwnModel
from iic.own.reading import Progress
from iic.own.sources import listing
from iic.own.vectors import VectorSettings

BATCH = 500
Reader: TypeAlias = Callable[[Item], NDArray[np.uint8]]
OTHER_CHANNELS = "has colour, but the model was fitted on grey images"


@dataclass(frozen=True)
class Predicted:
    """Answers for a source.

    Args:
        table: One row an image, in the order of their names.
        skipped: What could not be read.
    """

    table: pd.DataFrame
    skipped: list[Skipped]


def predict(
    model: OwnModel,
    source: Path,
    *,
    features: Path | None = None,
    weights: Path | None = None,
    sub_heads: bool = False,
    progress: Progress | None = None,
) -> Predicted:
    """Clusters of the images of `source`, read and answered in batches.

    Args:
        model: The model.
        source: Whatever `iic fit` takes.
        features: File of their features, for a model that was fitted on such.
        weights: Of its backbone, if they lie elsewhere than at the fit.
        sub_heads: Whether the table has the cluster by each sub-head too.
        progress: Told of images done.

    Raises:
        OwnDataError: There is no image that the model can take, or features are missing, of another
            length, or not asked for.
    """
    listed = listing(source, model.config.top)
    if model.takes_features or features is not None:
        return _of_features(model, listed, source, features, sub_heads)
    return predict_listing(model, listed, weights=weights, sub_heads=sub_heads, progress=progress)


def predict_listing(
    model: OwnModel,
    listed: Listing,
    *,
    weights: Path | None = None,
    sub_heads: bool = False,
    progress: Progress | None = None,
) -> Predicted:
    """As `predict`, for images that are listed already."""
    skipped = list(listed.skipped)
    tables = []
    backbone = None
    read: Reader = partial(pixels_of, model)
    if model.config.backbone is not None:
        backbone = FrozenBackbone(model.config.backbone, weights)
        read = backbone.pixels
    size = BATCH if backbone is None else backbones.BATCH
    for names, pixels in _batches(read, listed.items, size, skipped, progress):
        points = pixels if backbone is None else backbone.rows(pixels)
        tables.append(table_of(names, model.answers(points), sub_heads))
    if not tables:
        reasons = sorted({one.reason for one in skipped})
        raise OwnDataError(f"no image that the model can take: {'; '.join(reasons[:3])}")
    table = pd.concat(tables).sort_values("path", kind="stable", ignore_index=True)
    return Predicted(table, sorted(skipped, key=lambda one: one.name))


def _of_features(
    model: OwnModel, listed: Listing, source: Path, path: Path | None, sub_heads: bool
) -> Predicted:
    settings = model.config.settings
    if path is None:
        raise OwnDataError(f"{model.folder}: was fitted on features\n  remedy: --features FILE")
    if not isinstance(settings, VectorSettings):
        raise OwnDataError(f"{model.folder}: was fitted on pixels: leave --features out")
    rows = read_features(path, listed, source)
    points = np.stack(list(rows.values()))
    if points.shape[1] != settings.dimensions:
        raise OwnDataError(
            f"{path}: {points.shape[1]} features of each image, but the model was fitted on "
            f"{settings.dimensions}"
        )
    table = table_of(list(rows), model.answers(points), sub_heads)
    table = table.sort_values("path", kind="stable", ignore_index=True)
    return Predicted(table, listed.skipped)


def pixels_of(model: OwnModel, item: Item) -> NDArray[np.uint8]:
    """An image as the model takes it, (C, S, S).

    Raises:
        Unreadable: It is no image, or has colour where the model knows none.
    """
    config = model.config
    pixels = decode(item.read(), config.side)
    if config.channels == 1 and not config.grey_taken and coloured(pixels):
        raise Unreadable(OTHER_CHANNELS)
    return in_channels(pixels, config.channels)


def _batches(
    read: Reader,
    items: list[Item],
    size: int,
    skipped: list[Skipped],
    progress: Progress | None,
) -> Iterator[tuple[list[str], NDArray[np.uint8]]]:
    names, images = [], []
    for number, item in enumerate(items):
        try:
            images.append(read(item))
            names.append(item.name)
        except Unreadable as reason:
            skipped.append(Skipped(item.name, str(reason)))
        if images and (len(images) == size or number + 1 == len(items)):
            yield names, np.stack(images)
            names, images = [], []
        if progress:
            progress(number + 1, len(items))
    if images:
        yield names, np.stack(images)


def assign_into(folder: Path, source: Path, table: pd.DataFrame, *, copy: bool = False) -> None:
    """Put a link to each image, or a copy, into a folder named after its cluster.

    Args:
        folder: A folder that does not exist yet.
        source: Where the images came from; their files are left as they are.
        table: Of `predict`.
        copy: Whether to copy in place of linking.

    Raises:
        OwnDataError: The folder exists, or the images are not files of their own.
    """
    if folder.exists():
        raise OwnDataError(f"{folder}: exists\n  remedy: a folder that is not there yet")
    files = {item.name: item.path for item in listing(source).items if isinstance(item, FileItem)}
    if not files:
        raise OwnDataError(f"{source}: --assign-into needs images that are files of their own")
    digits = len(str(int(table["cluster"].max())))
    for name, cluster in zip(table["path"], table["cluster"], strict=True):
        target = folder / f"{cluster:0{digits}d}" / flat_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copy2(files[name], target)
        else:
            os.symlink(files[name].resolve(), target)


def said_of(table: pd.DataFrame, k: int) -> str:
    """Sizes of the clusters, in a line."""
    sizes = np.bincount(table["cluster"], minlength=k)
    return f"{len(table):,} images: " + ", ".join(
        f"cluster {cluster}: {size:,}" for cluster, size in enumerate(sizes)
    )
