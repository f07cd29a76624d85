"""Supplementary table 6: numbers of images of the datasets for segmentation.

As `iic.publish.dataset_sizes`, with which it shares how splits are found and counted; the columns
of the csv are `COLUMNS`. Images of such a dataset may differ in size; tiles count as images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iic.params.runs import Plan
from iic.publish import dataset_sizes
from iic.publish.built import Built, build_listing
from iic.publish.dataset_sizes import (
    Share,
    count,
    find_shares,
    grid_of,
    line_of,
    row_of,
    segmented,
)
from iic.publish.evidence import file_record
from iic.records.files import read_record
from iic.records.paths import prepared_manifest
from iic.records.prepared_maps import MapManifest
from iic.records.sources import Series

COLUMNS = [
    *dataset_sizes.COLUMNS[:6],
    *("smallest", "largest"),
    *dataset_sizes.COLUMNS[6:-1],
    *("test_without_class", "status"),
]
"""Height and width are those of the canvas; the smallest and the largest height, and likewise
width, are of the images in it."""
MODULES = ["iic.publish.map_sizes", "iic.publish.dataset_sizes"]
COLOURS = {3: "RGB", 4: "RGB and infrared"}


def build(plan: Plan, name: str, root: Path = Path()) -> Built:
    """The table's files.

    Args:
        plan: What the scale holds: its datasets and its runs.
        name: Name of the listing.
        root: Root of the clone, below which prepared data are described.

    Raises:
        RecordError: A dataset is not prepared, or its description is damaged.
    """
    lines: list[dict[str, str]] = []
    series, body, notes = [], [], []
    for paper, dataset in plan.scale.datasets.items():
        if not segmented(plan, dataset):
            continue
        path = prepared_manifest(dataset)
        manifest = read_record(root / path, MapManifest)
        shares = find_shares(plan, name, manifest, labelled(manifest))
        lines += [_line(paper, manifest, share) for share in shares]
        body.append(row_of(plan.listings[name], paper, manifest, _images(manifest), shares))
        notes += _note(manifest, shares)
        series.append(Series(name=dataset, modules=MODULES, files=[file_record(path, root)]))
    grid = grid_of(plan.listings[name], body)
    return build_listing(plan, name, COLUMNS, lines, [grid], series, notes)


def labelled(manifest: MapManifest) -> tuple[str, ...]:
    """Splits in which any image has a pixel of a class."""
    return tuple(
        split.name
        for split in manifest.splits
        if _empty(manifest, [split.name]) < split.stop - split.start
    )


def _empty(manifest: MapManifest, splits: Sequence[str]) -> int:
    """Images of these splits without a pixel of a class."""
    parts = [manifest.split(name) for name in splits]
    return sum(part.start <= index < part.stop for part in parts for index in manifest.empty)


def _sizes(manifest: MapManifest) -> tuple[tuple[int, int], tuple[int, int]]:
    """Smallest and largest height, smallest and largest width."""
    heights, widths = zip(*manifest.sizes, strict=True)
    return (min(heights), max(heights)), (min(widths), max(widths))


def _line(paper: str, manifest: MapManifest, share: Share) -> dict[str, str]:
    heights, widths = _sizes(manifest)
    return {
        **line_of(paper, manifest, share),
        "smallest": f"{heights[0]}x{widths[0]}",
        "largest": f"{heights[1]}x{widths[1]}",
        "test_without_class": str(_empty(manifest, share.test)) if share.run else "",
    }


def _images(manifest: MapManifest) -> str:
    """Sizes and colours, e.g. ``119–211×119–211 RGB``."""
    sides = [str(low) if low == high else f"{low}–{high}" for low, high in _sizes(manifest)]
    channels = manifest.image.channels
    return f"{'×'.join(sides)} {COLOURS.get(channels, f'{channels} channels')}"


def _note(manifest: MapManifest, shares: Sequence[Share]) -> list[str]:
    """How many images that are scored add nothing to the score, where there are any."""
    return list(
        dict.fromkeys(
            f"{manifest.dataset}: {empty:,} of the {count(manifest, share.test):,} test images of "
            f"{share.method} have no pixel of a class."
            for share in shares
            if share.run and (empty := _empty(manifest, share.test))
        )
    )
