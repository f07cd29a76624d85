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
from iic.publish.measured import Measured, find, measure
from iic.publish.published import Number, Published
from iic.publish.verdicts import verdict
from iic.records.sources import Cell
from iic.records.table import Status, TableRow, cents


@dataclass(frozen=True)
class Line:
    """One line of the tidy csv, with what the other forms of the table add to it."""

    record: TableRow
    cell: Cell
    paper_dataset: str
    """The paper's dataset of the cell, whichever ran in its place."""
    published: Number | None
    """The paper's number, also where another dataset ran than the paper's."""
    spreads: tuple[str, ...]
    """Standard deviations that have no column in the csv, e.g. ``folds ± 0.41``."""
    notes: tuple[str, ...]
    """What a reader must know about this number, or why there is none."""


def gather(plan: Plan, name: str, published: Published, root: Path = Path()) -> list[Line]:
    """All lines of a table: rows as in its file, columns as in the paper.

    Every row has a line for every column, where the scale covers the dataset of the cell. Where the
    paper's own datasets run, cells that the scale does not cover are there too, with the published
    number alone.

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
                # a row's name says all in the paper, so its dataset is no part of the key
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
    paper_dataset = table.dataset_of(row, column)
    running = plan.scale.datasets.get(paper_dataset)
    selections: tuple[Selection | None, ...] = row.selections if row.run else (None,)
    if running is None:
        if plan.scale.real:
            place = _Place(table, row, column, paper_dataset, paper_dataset, number, number, False)
            for selection in selections:
                yield place.line(selection, "published_only" if number else "not_run")
        return
    # beside a number measured on other data, the paper's would invite a wrong comparison
    comparable = number if plan.scale.real and running == paper_dataset else None
    stand_in = plan.datasets[running].stand_in
    place = _Place(table, row, column, paper_dataset, running, number, comparable, stand_in)
    if row.run is None:
        assert row.status is not None and row.reason is not None
        yield place.line(None, row.status, (row.reason,))
        return
    wanted = [f"{running}/{name}" for name in row.runs]
    runs = [plan.runs[identifier] for identifier in wanted if identifier in plan.runs]
    if not runs:
        reason = _why_absent(plan, wanted, row)
        for selection in selections:
            yield place.line(selection, "not_run", (reason,))
        return
    yield from _measured(place, runs, published, root)


def _why_absent(plan: Plan, identifiers: list[str], row: Row) -> str:
    if any(plan.scale.skips(identifier) for identifier in identifiers):
        return plan.scale.skip_reason or f"left out at scale {plan.scale.name}"
    # the same words for every dataset, so that they make one footnote
    if row.fidelity == "corrected":
        return "nothing to correct on this dataset: as published is what the paper describes"
    return "not defined on this dataset"


def _measured(place: _Place, runs: list[Run], published: Published, root: Path) -> Iterator[Line]:
    row = place.row
    found = find(runs, root)
    for selection in row.selections:
        measured = measure(
            runs,
            found,
            selection,
            place.table.metric,
            fraction=place.column.fraction,
            folds=row.folds,
        )
        if measured is None:
            reason = "no result of this run"
            if found:
                share = "" if place.column.fraction is None else " with this share of the labels"
                reason = f"no selection {selection}{share} in this run"
            yield place.line(selection, "not_run", (reason,))
        else:
            yield _line(place, selection, measured, published)


def _line(place: _Place, selection: Selection, measured: Measured, published: Published) -> Line:
    values, comparable = measured.values, place.comparable
    mean = cents(statistics.fmean(values))
    std = cents(statistics.stdev(values)) if len(values) > 1 else None
    spreads = {"folds": measured.folds, "draws": measured.draws}
    return place.line(
        selection,
        "measured",
        measured.notes,
        measured,
        tuple(f"{name} ± {cents(one)}" for name, one in spreads.items() if one is not None),
        ours_mean=mean,
        ours_std=std,
        ours_std_heads=None if measured.heads is None else cents(measured.heads),
        n_seeds=len(values),
        verdict=verdict(
            comparable.value if comparable else None,
            published.tolerances[place.paper_dataset],
            mean,
            std,
            # a seed without all its folds is no answer to the paper's number
            len(values) if measured.complete else 0,
            real=not place.stand_in,
        ),
    )


@dataclass(frozen=True)
class _Place:
    """A row and a column: what all lines of the cell have in common."""

    table: Table
    row: Row
    column: Column
    paper_dataset: str
    dataset: str
    number: Number | None
    comparable: Number | None
    stand_in: bool

    def line(
        self,
        selection: Selection | None,
        status: Status,
        notes: tuple[str, ...] = (),
        measured: Measured | None = None,
        spreads: tuple[str, ...] = (),
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
            paper_column=self.column.paper,
            selection=selection,
            fidelity=fidelity,
            seeds=list(measured.sources) if measured else [],
            published=number.source if number else None,
        )
        return Line(record, cell, self.paper_dataset, self.number, spreads, notes)
