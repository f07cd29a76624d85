"""The cells of a table: what the evaluations of each run say, beside what the paper prints.

Everything is read from files on disk, never from a method's objects, so that the audit can do it
again and compare bytes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.errors import SettingsError
from iic.params.experiments import Column, Row, Selection, Table
from iic.params.runs import Plan, Run
from iic.publish.evidence import evaluation_source
from iic.publish.published import Number, Published
from iic.publish.verdicts import verdict
from iic.records.evaluation import Evaluation
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import Cell, SeedSource
from iic.records.table import Status, TableRow, cents


@dataclass(frozen=True)
class Line:
    """One line of the tidy csv, with what the other forms of the table add to it."""

    record: TableRow
    cell: Cell
    published: Number | None
    """The paper's number, also where another dataset ran than the paper's."""
    notes: tuple[str, ...]
    """What a reader must know about this number, or why there is none."""


def gather(plan: Plan, name: str, published: Published, root: Path = Path()) -> list[Line]:
    """All lines of a table: rows as in its file, columns as in the paper.

    Every row has a line for every column that the scale covers. Where the paper's own datasets
    run, columns that the scale does not cover are there too, with the published number alone.

    Args:
        plan: What the scale holds.
        name: Name of the table.
        published: What the paper prints there.
        root: Root of the clone.

    Raises:
        SettingsError: Two rows of the table's file say the same.
        RecordError: An evaluation or its receipt is damaged, or an evaluation has no receipt.
    """
    table = plan.tables[name]
    lines: dict[tuple[object, ...], Line] = {}
    for position, row in enumerate(table.rows):
        for column in table.columns:
            for line in _lines(plan, table, row, column, published, root):
                key = (row.row, column.paper, line.record.selection, line.record.fidelity)
                if key in lines:
                    raise SettingsError(
                        f"params/experiments/{name}.yaml", f"rows.{position}.row",
                        f"{row.row!r} is given twice",
                        allowed="rows of one name that differ in selections or fidelity",
                    )  # fmt: skip
                lines[key] = line
    return list(lines.values())


def _lines(
    plan: Plan, table: Table, row: Row, column: Column, published: Published, root: Path
) -> Iterator[Line]:
    number = published.number(row.row, column.paper)
    running = plan.scale.datasets.get(column.dataset)
    selections: tuple[Selection | None, ...] = row.selections if row.run else (None,)
    if running is None:
        if plan.scale.real:
            place = _Place(table, row, column, column.dataset, number, number, False)
            for selection in selections:
                yield place.line(selection, "published_only" if number else "not_run")
        return
    # beside a number measured on other data, the paper's would invite a wrong comparison
    comparable = number if plan.scale.real and running == column.dataset else None
    stand_in = plan.datasets[running].stand_in
    place = _Place(table, row, column, running, number, comparable, stand_in)
    if row.run is None:
        assert row.status is not None and row.reason is not None
        yield place.line(None, row.status, (row.reason,))
        return
    run = plan.runs.get(f"{running}/{row.run}")
    if run is None:
        reason = _why_absent(plan, f"{running}/{row.run}", column)
        for selection in selections:
            yield place.line(selection, "not_run", (reason,))
        return
    evaluations = _evaluations(run, root)
    for selection in row.selections:
        yield _measured(place, run, selection, evaluations, published)


def _why_absent(plan: Plan, identifier: str, column: Column) -> str:
    if identifier in plan.scale.skip:
        return plan.scale.skip_reason or f"left out at scale {plan.scale.name}"
    return f"this row has no settings for {column.paper} yet"


def _evaluations(run: Run, root: Path) -> list[tuple[Evaluation, SeedSource]]:
    found = []
    for seed in run.seeds:
        paths = RunPaths(run.scale, run.id, seed)
        if (root / paths.evaluation).exists():
            evaluation = read_record(root / paths.evaluation, Evaluation)
            found.append((evaluation, evaluation_source(paths, root)))
    return found


def _measured(
    place: _Place,
    run: Run,
    selection: Selection,
    evaluations: list[tuple[Evaluation, SeedSource]],
    published: Published,
) -> Line:
    values: list[float] = []
    spreads: list[float] = []
    sources: list[SeedSource] = []
    for evaluation, source in evaluations:
        chosen = evaluation.selections[selection]
        value = getattr(chosen, place.table.metric) if chosen else None
        if chosen is None or value is None:
            continue
        values.append(value)
        sources.append(source)
        heads = evaluation.checkpoints[chosen.checkpoint].sub_heads
        if chosen.acc_std_heads is not None and len(heads) > 1:
            spreads.append(chosen.acc_std_heads)
    if not values:
        reason = f"no selection {selection} in this run" if evaluations else "no result of this run"
        return place.line(selection, "not_run", (reason,))
    missing = [str(seed) for seed in run.seeds if seed not in [one.seed for one in sources]]
    notes = (run.note, f"no result of seed {', '.join(missing)}" if missing else None)
    mean = cents(statistics.fmean(values))
    std = cents(statistics.stdev(values)) if len(values) > 1 else None
    comparable = place.comparable
    return place.line(
        selection,
        "measured",
        tuple(note for note in notes if note),
        sources,
        ours_mean=mean,
        ours_std=std,
        ours_std_heads=cents(statistics.fmean(spreads)) if spreads else None,
        n_seeds=len(values),
        verdict=verdict(
            comparable.value if comparable else None,
            published.tolerances[place.column.paper],
            mean, std, len(values), real=not place.stand_in,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """A row and a column: what all lines of the cell have in common."""

    table: Table
    row: Row
    column: Column
    dataset: str
    number: Number | None
    comparable: Number | None
    stand_in: bool

    def line(
        self,
        selection: Selection | None,
        status: Status,
        notes: tuple[str, ...] = (),
        sources: list[SeedSource] | None = None,
        **ours: object,
    ) -> Line:
        number = self.comparable
        fidelity = self.row.fidelity if self.row.run else None
        empty = dict.fromkeys(("ours_mean", "ours_std", "ours_std_heads", "n_seeds", "verdict"))
        record = TableRow.model_validate(
            {
                "table": self.table.name,
                "row": self.row.row,
                "column": self.dataset,
                "paper_column": self.column.paper,
                "metric": self.table.metric,
                "published": number.value if number else None,
                "published_std": number.std if number else None,
                "published_mark": (number.mark or None) if number else None,
                "selection": selection,
                "fidelity": fidelity,
                "data": "stand-in" if self.stand_in else "real",
                "status": status,
            }
            | empty
            | ours
        )
        cell = Cell(
            row=self.row.row,
            column=self.dataset,
            selection=selection,
            fidelity=fidelity,
            seeds=sources or [],
            published=number.source if number else None,
        )
        return Line(record, cell, self.number, notes)
