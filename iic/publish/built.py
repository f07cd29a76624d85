"""What building a table gives: the content of its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan
from iic.publish.latex import grids_to_latex
from iic.publish.markdown import grids_to_markdown
from iic.publish.wording import Grid, titled
from iic.records import paths
from iic.records.files import dump_json, write_bytes
from iic.records.sources import Series, Sources


@dataclass(frozen=True)
class Built:
    """The files of a table, as bytes."""

    csv: bytes
    md: bytes
    tex: bytes
    sources: Sources

    def files(self, csv: Path) -> dict[Path, bytes]:
        """Path -> content of the files of a table whose csv has the path `csv`."""
        sources = dump_json(self.sources.model_dump(mode="json")).encode()
        contents = (self.csv, self.md, self.tex, sources)
        return dict(zip(paths.table_files(csv), contents, strict=True))


def write_files(built: Built, csv: Path, root: Path = Path()) -> list[Path]:
    """Write a table's files, each whole or not at all, and list them relative to `root`."""
    files = built.files(csv)
    for path, content in files.items():
        write_bytes(root / path, content)
    return list(files)


def build_listing(
    plan: Plan,
    name: str,
    columns: Sequence[str],
    lines: Iterable[Mapping[str, object]],
    grids: Sequence[Grid],
    series: Sequence[Series],
    notes: Sequence[str] = (),
) -> Built:
    """A table that no run feeds.

    Args:
        plan: What the scale holds.
        name: Name of the listing.
        columns: Columns of the csv, in order.
        lines: Its lines, by column; empty in what a line lacks.
        grids: What the other forms show.
        series: What it is computed from.
        notes: Sentences below it.

    Raises:
        ValueError: A line has a column that is not one of `columns`.
    """
    listing = plan.listings[name]
    title = titled(name, listing.title)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return Built(
        csv=text.getvalue().encode(),
        md=grids_to_markdown(title, listing.caption, grids, notes),
        tex=grids_to_latex(name, f"{title}. {listing.caption}", grids, notes),
        sources=Sources(scale=plan.scale.name, name=name, series=list(series)),
    )
