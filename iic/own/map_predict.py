"""``iic predict`` of a segmentation: a label image and an overlay for each image, at its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from iic.own.answers import DIGITS
from iic.own.decode import decode, in_channels, upright
from iic.own.errors import OwnDataError, Unreadable
from iic.own.items import Item, Skipped, flat_name
from iic.own.map_network import areas_of, label_image, overlay, stretched
from iic.own.model import OwnModel
from iic.own.predict import Predicted
from iic.own.reading import Progress
from iic.own.segment import areas_table
from iic.own.sources import listing
from iic.records.files import atomic_file

LONGEST = 16
"""An image is seen with at most so many times its shorter side."""
TABLE = "areas.csv"


def predict_maps(
    model: OwnModel, source: Path, out: Path, progress: Progress | None = None
) -> Predicted:
    """Write ``labels/NAME.png`` (a palette, a pixel's value is its cluster) and overlays.

    Args:
        model: A segmentation.
        source: Whatever `iic fit` takes.
        out: A folder that is not there yet.
        progress: Told of images done.

    Returns:
        One row an image: path, share of its pixels in each cluster, certainty; and what was
        skipped.

    Raises:
        OwnDataError: The folder exists, or there is no image.
    """
    if out.exists():
        raise OwnDataError(f"{out}: exists\n  remedy: a folder that is not there yet")
    listed = listing(source, model.config.top)
    skipped, rows = list(listed.skipped), []
    for number, item in enumerate(sorted(listed.items, key=lambda item: item.name)):
        try:
            rows.append(_segmented(model, item, out))
        except Unreadable as reason:
            skipped.append(Skipped(item.name, str(reason)))
        if progress:
            progress(number + 1, len(listed.items))
    if not rows:
        reasons = sorted({one.reason for one in skipped})
        raise OwnDataError(f"no image that can be read: {'; '.join(reasons[:3])}")
    return Predicted(pd.DataFrame(rows), sorted(skipped, key=lambda one: one.name))


def _segmented(model: OwnModel, item: Item, out: Path) -> dict[str, object]:
    image = upright(item.read())
    probabilities = model.map_network.probabilities(_seen(image, model.config.side))
    own = probabilities[model.config.sub_head]
    labels = label_image(stretched(own, image.height, image.width), model.config.k)
    flat = flat_name(item.name)
    for folder, shown in (("labels", labels), ("overlays", overlay(image, labels))):
        with atomic_file(out / folder / f"{flat}.png") as file:
            shown.save(file, "png")
    areas = areas_of(own)
    shares = {f"area_{i}": round(float(share), DIGITS) for i, share in enumerate(areas.shares)}
    certainty = {
        "probability": round(areas.probability, DIGITS),
        "entropy": round(areas.entropy, DIGITS),
    }
    return {"path": item.name, **shares, **certainty}


def _seen(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """The whole image, its shorter side at `side`, (3, H, W)."""
    factor = min(side / min(image.size), LONGEST * side / max(image.size))
    size = tuple(max(side // 2, round(factor * length)) for length in image.size)
    pixels = np.asarray(image.resize((size[0], size[1]), Image.Resampling.BILINEAR))
    return np.moveaxis(pixels, 2, 0)


def areas_again(model: OwnModel, source: Path, names: list[str]) -> pd.DataFrame:
    """The table of the fit, computed anew from the images, in the order of paths.

    Raises:
        OwnDataError: An image cannot be read any more.
    """
    items = {item.name: item for item in listing(source, model.config.top).items}
    kept = sorted(names)
    side = model.config.side
    try:
        pixels = (in_channels(decode(items[name].read(), side), 3) for name in kept)
        return areas_table(model.map_network, model.config.sub_head, kept, pixels)
    except Unreadable as reason:
        raise OwnDataError(f"{source}: an image cannot be read any more: {reason}") from None
