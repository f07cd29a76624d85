"""Supplementary table 5: numbers of images, counted in the prepared data and the runs' settings.

The csv has one line per dataset and method; the columns are `COLUMNS`. What a dataset holds comes
from ``data/prepared/<dataset>/data.json``, which splits a method trains and tests on from its runs
at this scale. IIC's count of training images is of those that any of its two heads is trained on.
Datasets for segmentation have a table of their own, `iic.publish.map_sizes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan, Run
from iic.params.splits import UNLABELLED
from iic.publish.built import Built, dump_lines
from iic.publish.evidence import file_record
from iic.publish.hyper_parameters import DATASETS
from iic.publish.latex import booktabs
from iic.publish.layout import titled
from iic.records.files import read_record
from iic.records.paths import prepared_manifest
from iic.records.prepared import PreparedManifest
from iic.records.prepared_maps import MapManifest
from iic.records.sources import Series, Sources

COLUMNS = (
    "paper_dataset", "dataset", "data", "height", "width", "channels", "classes", "method", "run",
    "train_splits", "train", "test_splits", "test", "status",
)  # fmt: skip
METHODS = ("IIC", "IIC*")
"""As the supplement calls them."""
HEAD = [
    "Dataset", "data", "image", "classes",
    *(f"{method} {part}" for method in METHODS for part in ("train", "test")),
]  # fmt: skip
"""Heads of the printed columns."""
ALIGNED = "lll" + "r" * 5
HEADS = {"IIC": ("head_a", "head_b"), "IIC*": ("head",)}
"""Method -> the settings of its heads, each with the splits that it is trained on."""
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
    listing = plan.listings[name]
    title = titled(name, listing.title)
    lines: list[dict[str, str]] = []
    series, body = [], []
    for paper, dataset in plan.scale.datasets.items():
        if segmented(plan, dataset):
            continue
        path = prepared_manifest(dataset)
        manifest = read_record(root / path, PreparedManifest)
        labelled = tuple(one.name for one in manifest.splits if one.name != UNLABELLED)
        shares = find_shares(plan, manifest, labelled)
        lines += [line_of(paper, manifest, share) for share in shares]
        body.append(_row(paper, manifest, shares))
        series.append(Series(name=dataset, modules=MODULES, files=[file_record(path, root)]))
    return Built(
        csv=dump_lines(COLUMNS, lines),
        md=markdown(title, listing.caption, HEAD, body),
        tex=booktabs(name, f"{title}. {listing.caption}", ALIGNED, HEAD, body),
        sources=Sources(scale=plan.scale.name, name=name, series=series),
    )


def write(plan: Plan, name: str, root: Path = Path()) -> list[Path]:
    """Write the table's files and list them relative to `root`."""
    return build(plan, name, root).write(plan.scale.name, name, root)


def segmented(plan: Plan, dataset: str) -> bool:
    """Whether a dataset has a class for every pixel, and so belongs to the other table."""
    entry = plan.datasets.get(dataset)
    return entry is not None and entry.maps is not None


def find_shares(plan: Plan, manifest: Manifest, labelled: tuple[str, ...]) -> list[Share]:
    """Each different use that a method's runs make of a dataset, by its first run; IIC first.

    Args:
        plan: What the scale holds.
        manifest: The dataset.
        labelled: Its splits with labels.
    """
    return [share for method in METHODS for share in _of_method(plan, method, manifest, labelled)]


def _of_method(
    plan: Plan, method: str, manifest: Manifest, labelled: tuple[str, ...]
) -> list[Share]:
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Share] = {}
    for run in plan.runs.values():
        # IIC's variants are ablations, which may leave data out; those of IIC* differ in k
        wanted = run.name == "iic" if method == "IIC" else run.name.split("-")[0] == "iic_star"
        if run.dataset == manifest.dataset and wanted:
            train = tuple(_trained(run, method, manifest))
            # no splits in the settings: all that have labels
            test = tuple(run.settings.evaluation.test) or labelled
            found.setdefault((train, test), Share(method, run.id, train, test))
    return list(found.values()) or [Share(method)]


def _trained(run: Run, method: str, manifest: Manifest) -> Iterator[str]:
    """Splits that any head is trained on, in the order of the dataset."""
    heads = [getattr(run.settings, head, None) for head in HEADS[method]]
    used = [tuple(getattr(head, "splits", ())) for head in heads]
    for split in manifest.splits:
        # no splits: all of them
        if any(not splits or split.name in splits for splits in used):
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


def _row(paper: str, manifest: PreparedManifest, shares: Sequence[Share]) -> list[str]:
    image = manifest.image
    colour = {1: "grey", 3: "RGB"}.get(image.channels, f"{image.channels} channels")
    return row_of(paper, manifest, f"{image.height}×{image.width} {colour}", shares)


def row_of(paper: str, manifest: Manifest, image: str, shares: Sequence[Share]) -> list[str]:
    """A dataset as it is printed, both methods side by side.

    Args:
        paper: The paper's dataset in whose place it is.
        manifest: The dataset.
        image: What its images are.
        shares: What the methods use of it.
    """
    name = DATASETS.get(paper, paper)
    cells = [
        name if manifest.dataset == paper else f"{name}: {manifest.dataset}",
        kind(manifest),
        image,
        str(len(manifest.classes)),
    ]
    for method in METHODS:
        of_method = [share for share in shares if share.method == method and share.run]
        for part in ("train", "test"):
            counts = (f"{count(manifest, getattr(share, part)):,}" for share in of_method)
            cells.append(" / ".join(dict.fromkeys(counts)) or "–")
    return cells


def kind(manifest: Manifest) -> str:
    """Whether the data is real."""
    return "stand-in" if manifest.stand_in else "real"


def markdown(
    title: str, caption: str, head: list[str], body: list[list[str]], notes: Sequence[str] = ()
) -> bytes:
    """The table in Markdown, `notes` below it."""
    rows = [head, ["---"] * 3 + ["---:"] * 5, *body]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    parts = [f"# {title}", caption, table, *notes]
    text = "\n\n".join(parts).replace("*", "\\*").replace("_", "\\_")
    return (text + "\n").encode()
