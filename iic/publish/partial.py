"""A table of an unfinished scale: what was measured, and a note on every training without result.

It lies in a folder of its own and is no part of the results. Its numbers are those that the whole
table will have, as far as they are means over the same seeds; its sources name the trainings'
receipts, since the evaluations need not be on disk.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from iic.params.runs import Plan
from iic.publish.built import Built
from iic.publish.cells import Line, gather
from iic.publish.latex import to_latex
from iic.publish.layout import Layout, lay_out
from iic.publish.markdown import NOTHING, to_markdown
from iic.publish.origins import origins
from iic.publish.published import load_published
from iic.records import paths
from iic.records.files import read_record, write_bytes
from iic.records.paths import RunPaths
from iic.records.receipt import ParentRecord, Receipt
from iic.records.sources import SeedSource, Sources
from iic.records.table import dump_table

ENDINGS = (".csv", ".md", ".tex", ".sources.json")
SILENT = "no result of this run"
"""What a cell says by itself where nothing was evaluated; here there is more to say."""

CROSS = "✗"


@dataclass(frozen=True)
class Gaps:
    """What is missing of a table."""

    notes: Mapping[tuple[str, int], str]
    """Run and seed of each training without result -> what became of it."""
    trainings: int
    """How many trainings the whole table shows."""

    @property
    def measured(self) -> int:
        """How many of them have a result."""
        return self.trainings - len(self.notes)


def build(plan: Plan, name: str, evaluations: Path, gaps: Gaps, root: Path = Path()) -> Built:
    """The table from what there is.

    Args:
        plan: What the scale holds.
        name: One of its tables, not a listing.
        evaluations: Folder with the evaluations that there are, laid out as a clone; in place of
            each evaluation's receipt lies that of the training.
        gaps: Every training of the table that has none.
        root: Root of the clone, for published numbers and the trainings' receipts.

    Raises:
        SettingsError: The published numbers do not fit the table's file.
        RecordError: An evaluation or a receipt is damaged.
    """
    published = load_published(plan.tables[name], root)
    whose = _runs_of_cells(plan, name)
    lines = [_noted(line, whose, gaps) for line in gather(plan, name, published, evaluations)]
    layout = lay_out(plan, name, lines, published)
    layout = replace(
        layout,
        title=f"{layout.title} (partial: {gaps.measured} of {gaps.trainings} trainings)",
        caption=f"{layout.caption} Not the finished table: {CROSS} stands for what failed or was "
        "not reached, its note says why, and a mean may be over fewer seeds than planned.",
    )
    cells = [
        line.cell.model_copy(
            update={"seeds": [_source(plan.scale.name, one, root) for one in line.cell.seeds]}
        )
        for line in lines
    ]
    return Built(
        csv=dump_table(line.record for line in lines),
        md=_marked(to_markdown(layout, name, published, origins(plan, name, root)), layout, gaps),
        tex=to_latex(layout, name, published),
        sources=Sources(scale=plan.scale.name, name=name, cells=cells),
    )


def write(built: Built, scale: str, name: str, root: Path = Path()) -> list[Path]:
    """Write a partial table's files, each whole or not at all, and list them."""
    target = paths.partial_table(scale, name)
    written = []
    for path, content in built.files(scale, name).items():
        place = target.with_name(path.name)
        write_bytes(root / place, content)
        written.append(place)
    return written


def discard(scale: str, name: str, root: Path = Path()) -> None:
    """Delete the partial form of a table, and the folder when it was the last.

    What cannot be deleted stays: it is in nobody's way.
    """
    stem = root / paths.partial_table(scale, name).with_suffix("")
    with contextlib.suppress(OSError):
        for ending in ENDINGS:
            stem.with_name(stem.name + ending).unlink(missing_ok=True)
        stem.parent.rmdir()


Place = tuple[str, str, str | None, str | None]
"""Row, the paper's column, selection and fidelity of a line."""


def _runs_of_cells(plan: Plan, name: str) -> dict[Place, list[tuple[str, int]]]:
    """The trainings of each line."""
    table = plan.tables[name]
    found: dict[Place, list[tuple[str, int]]] = {}
    for row in table.rows:
        for column in table.columns:
            running = plan.scale.datasets.get(table.dataset_of(row, column))
            runs = [plan.runs.get(f"{running}/{run}") for run in row.runs]
            seeds = [(run.id, seed) for run in runs if run is not None for seed in run.seeds]
            for selection in row.selections:
                found[row.row, column.paper, selection, row.fidelity] = seeds
    return found


def _noted(line: Line, whose: Mapping[Place, list[tuple[str, int]]], gaps: Gaps) -> Line:
    record = line.record
    place = (record.row, record.paper_column, record.selection, record.fidelity)
    missing = [gaps.notes[one] for one in whose.get(place, ()) if one in gaps.notes]
    if not missing:
        return line
    kept = [note for note in line.notes if note != SILENT]
    return replace(line, notes=(*kept, *missing))


def _marked(text: bytes, layout: Layout, gaps: Gaps) -> bytes:
    """A cross in place of the dash in cells that a gap has left empty."""
    letters = {letter for letter, note in layout.notes.items() if note in gaps.notes.values()}

    def cross(cell: re.Match[str]) -> str:
        return (
            cell[0] if letters.isdisjoint(cell[1].split(",")) else cell[0].replace(NOTHING, CROSS)
        )

    return re.sub(rf"(?<=\| ){NOTHING}<sup>([a-z,]+)</sup>", cross, text.decode()).encode()


def _source(scale: str, found: SeedSource, root: Path) -> SeedSource:
    """The same numbers' source in the clone: assignments, and the receipt of the training."""
    place = RunPaths(scale, found.run, found.seed)
    receipt = read_record(root / place.receipt, Receipt)
    (assignments,) = [one for one in receipt.outputs if one.path == place.assignments.as_posix()]
    return SeedSource(
        run=found.run,
        seed=found.seed,
        file=assignments,
        receipt=ParentRecord(path=place.receipt.as_posix(), digest=receipt.digest),
    )
