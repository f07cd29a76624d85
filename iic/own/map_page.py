"""``MODEL/report.html`` of a segmentation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from iic.own import model as files
from iic.own.errors import OwnDataError
from iic.own.findings import Finding, stability_finding, stable
from iic.own.map_network import label_image, overlay, palette
from iic.own.model import OwnModel
from iic.own.rivals import read_examples
from iic.publish.pages.render import data_uri, render
from iic.records.files import write_bytes

MOST = 0.95
"""Share of all pixels in one cluster, from which on a segmentation has collapsed."""
LEAST = 0.01
"""Share of 1 / k below which a cluster is as good as empty."""
SCALE = 2
SWATCH = 16


class Cluster(NamedTuple):
    """One cluster on the page."""

    number: int
    colour: str
    """An image of it, as an address."""
    percent: str


def explain_maps(
    model: OwnModel, table: pd.DataFrame, skipped: list[tuple[str, str]], labels: str | None
) -> list[Finding]:
    """Write the page.

    Args:
        model: A finished segmentation.
        table: Its table of areas.
        skipped: Path and reason of files that were no images.
        labels: Not taken: a label an image says nothing of pixels.

    Returns:
        What the page says first.

    Raises:
        OwnDataError: Labels were given.
    """
    if labels is not None:
        raise OwnDataError(f"--labels {labels}: one label an image; this model segments images")
    k, receipt = model.config.k, model.receipt
    areas = np.array([table[f"area_{number}"].mean() for number in range(k)])
    found = map_findings(model, areas)
    examples = read_examples(model.folder / files.EXAMPLES)
    shown = zip(examples["pixels"], examples["maps"], strict=True)
    page = render(
        "own_maps.html.j2",
        title=Path(receipt.request.source).name,
        receipt=receipt,
        config=model.config,
        choice=(model.folder / files.CHOICE).read_text(encoding="utf-8"),
        findings=found,
        clusters=[
            Cluster(number, _swatch(number, k), f"{100 * area:.1f}")
            for number, area in enumerate(areas)
        ],
        pairs=[_pair(pixels, clusters, k) for pixels, clusters in shown],
        skipped=skipped,
    )
    write_bytes(model.folder / files.REPORT, page)
    return found


def map_findings(model: OwnModel, areas: NDArray[np.float64]) -> list[Finding]:
    """What is to be said of a segmentation; any of level ``bad`` means that it is not stable.

    Args:
        model: The model.
        areas: Share of all pixels in each cluster, (k,).
    """
    k, measured = len(areas), model.receipt.stability
    if areas.max() >= MOST:
        return [Finding("bad", f"Collapsed: {areas.max():.0%} of all pixels are in one cluster.")]
    found = [stability_finding(measured)]
    full = int((areas >= LEAST / k).sum())
    if full < k:
        found.append(Finding("warn", f"Only {full} of {k} clusters hold pixels."))
    if measured.ari is not None and stable(measured):
        text = "Seeds are compared on pixels: neighbours are alike, so chance is passed easily."
        found.append(Finding("warn", text))
    return found


def _pair(pixels: NDArray[Any], clusters: NDArray[Any], k: int) -> tuple[str, str]:
    """An image and the same with its clusters, as addresses."""
    image = Image.fromarray(np.moveaxis(pixels, 0, 2))
    image = image.resize((SCALE * image.width, SCALE * image.height), Image.Resampling.NEAREST)
    labels = label_image(clusters, k).resize(image.size, Image.Resampling.NEAREST)
    return _address(image), _address(overlay(image, labels))


def _swatch(number: int, k: int) -> str:
    colour = tuple(palette(k)[3 * number : 3 * number + 3])
    return _address(Image.new("RGB", (SWATCH, SWATCH), colour))


def _address(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")
