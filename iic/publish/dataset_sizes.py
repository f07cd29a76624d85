"""Supplementary table 5: numbers of images, counted in the prepared data and the runs' settings.

The csv has one line per dataset and method; the columns are `COLUMNS`. What a dataset holds comes
from ``data/prepared/<dataset>/data.json``, which splits a method trains and tests on from its runs
at this scale. A method's training images are those that any of its heads is trained on.
Datasets for segmentation have a table of their own, `iic.publish.map_sizes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.params.experiments import Listing
from iic.params.runs import Plan, Run
from iic.params.splits import UNLABELLED
from iic.publish.built import Built, build_listing
from iic.publish.evidence import file_record
from iic.publish.wording import NOTHING, Grid
from iic.records.files import read_record
from iic.records.paths import prepared_manifest
from iic.records.prepared import PreparedManifest
from iic.records.prepared_maps import MapManifest
from iic.records.sources import Series

COLUMNS = (
    "paper_dataset dataset data height width channels classes "
    "method run train_splits train test_splits test status"
).split()
MODULES = ["iic.publish.dataset_sizes"]

Manifest = PreparedManifest | MapManifest


@dataclass(frozen=True)
class Share:
    """What a method uses of a dataset; without a run, nothing."""

    method: str
    run: str | None = None
    train: tuple[str, ...] = ()
    """Splits."""
    test: tuple[str, ...] = ()
    """Splits."""


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
    series, body = [], []
    for paper, dataset in plan.scale.datasets.items():
        if segmented(plan, dataset):
            continue
        path = prepared_manifest(dataset)
        manifest = read_record(root / path, PreparedManifest)
        labelled = tuple(split.name for split in manifest.splits if split.name != UNLABELLED)
        shares = find_shares(plan, name, manifest, labelled)
        lines += [line_of(paper, manifest, share) for share in shares]
        body.append(row_of(plan.listings[name], paper, manifest, _images(manifest), shares))
        series.append(Series(name=dataset, modules=MODULES, files=[file_record(path, root)]))
    grid = grid_of(plan.listings[name], body)
    return build_listing(plan, name, COLUMNS, lines, [grid], series)


def grid_of(listing: Listing, body: list[list[str]]) -> Grid:
    """The table as it is printed: rows from `row_of`, two columns for each method."""
    methods = [f"{method} {part}" for method in _names(listing) for part in ("train", "test")]
    return Grid(["Dataset", "data", "image", "classes", *methods], body, words=3)


def _names(listing: Listing) -> list[str]:
    return list(dict.fromkeys(listing.methods.values()))


def segmented(plan: Plan, dataset: str) -> bool:
    """Whether a dataset has a class for every pixel, and so belongs to the other table."""
    entry = plan.datasets.get(dataset)
    return entry is not None and entry.maps is not None


def find_shares(
    plan: Plan, name: str, manifest: Manifest, labelled: tuple[str, ...]
) -> list[Share]:
    """Each different use that a method's runs make of a dataset, by its first run.

    Args:
        plan: What the scale holds.
        name: Name of the listing, which says which runs are of which method.
        manifest: The dataset.
        labelled: Its splits with labels.
    """
    listing = plan.listings[name]
    shares: dict[str, dict[tuple[str, ...], Share]] = {method: {} for method in _names(listing)}
    for run in plan.runs.values():
        method = listing.method_of(run.name)
        if run.dataset == manifest.dataset and method is not None:
            train = tuple(_trained(run, manifest))
            # no splits in the settings: all that have labels
            test = tuple(run.settings.evaluation.test) or labelled
            shares[method].setdefault((*train, "", *test), Share(method, run.id, train, test))
    return [
        share
        for method, of_method in shares.items()
        for share in of_method.values() or [Share(method)]
    ]


def _trained(run: Run, manifest: Manifest) -> Iterator[str]:
    """Splits that any head is trained on, in the order of the dataset."""
    heads = [part for _, part in run.settings if hasattr(part, "splits")]
    for split in manifest.splits:
        # no splits: all of them
        if any(not head.splits or split.name in head.splits for head in heads):
            yield split.name


def count(manifest: Manifest, splits: Iterable[str]) -> int:
    """Number of images in these splits."""
    parts = [manifest.split(name) for name in splits]
    return sum(part.stop - part.start for part in parts)


def line_of(paper: str, manifest: Manifest, share: Share) -> dict[str, str]:
    """A method's use of a dataset, by column of the csv."""
    image = manifest.image
    shown = {
        "paper_dataset": paper,
        "dataset": manifest.dataset,
        "data": kind(manifest),
        "height": image.height,
        "width": image.width,
        "channels": image.channels,
        "classes": len(manifest.classes),
        "method": share.method,
        "run": share.run or "",
        "train_splits": "+".join(share.train),
        "train": count(manifest, share.train) if share.run else "",
        "test_splits": "+".join(share.test),
        "test": count(manifest, share.test) if share.run else "",
        "status": "counted" if share.run else "not_run",
    }
    return {column: str(value) for column, value in shown.items()}


def _images(manifest: PreparedManifest) -> str:
    """Size and colours, e.g. ``96×96 RGB``."""
    image = manifest.image
    colour = {1: "grey", 3: "RGB"}.get(image.channels, f"{image.channels} channels")
    return f"{image.height}×{image.width} {colour}"


def row_of(
    listing: Listing, paper: str, manifest: Manifest, images: str, shares: Sequence[Share]
) -> list[str]:
    """A dataset as it is printed, the methods side by side.

    Args:
        listing: The table.
        paper: The paper's dataset in whose place it is.
        manifest: The dataset.
        images: What its images are.
        shares: What the methods use of it.
    """
    name = listing.datasets.get(paper, paper)
    cells = [
        name if manifest.dataset == paper else f"{name}: {manifest.dataset}",
        kind(manifest),
        images,
        str(len(manifest.classes)),
    ]
    for method in _names(listing):
        of_method = [share for share in shares if share.method == method and share.run]
        for part in ("train", "test"):
            counts = (f"{count(manifest, getattr(share, part)):,}" for share in of_method)
            cells.append(" / ".join(dict.fromkeys(counts)) or NOTHING)
    return cells


def kind(manifest: Manifest) -> str:
    """Whether the data is real."""
    return "stand-in" if manifest.stand_in else "real"
