"""The cells of a table: what the evaluations of each run say, beside what the paper prints.

Everything is read from files on disk, never from a method's objects, so that the audit can do it
again and compare bytes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.params.errors import SettingsError
from iic.params.experiments import Column, Row, Selection, Table
from iic.params.runs import Plan, Run
from iic.publish.measured import Measured, measure, read_evaluations
from iic.publish.published import Number, Published
from iic.publish.verdicts import verdict
from iic.records.sources import Cell, SeedSource
from iic.records.table import Status, TableRow, cents

Missing = Mapping[tuple[str, int], str]
"""Run and seed of each training without a result that counts -> what became of it."""
UNLABELLED = "the images have no labels, so there are clusters and losses, and no score"
BEST = "the best of the seeds, by this score alone"


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
    unfinished: bool
    """Whether all of its trainings are missing, so that its number is still to come."""


def gather(
    plan: Plan,
    name: str,
    published: Published,
    root: Path = Path(),
    missing: Missing | None = None,
) -> list[Line]:
    """All lines of a table: rows as in its file, columns as in the paper.

    Every row has a line for every column, where the scale covers the dataset of the cell. Where the
    paper's own datasets run, cells that the scale does not cover are there too, with the published
    number alone.

    Args:
        plan: What the scale holds.
        name: Name of the table.
        published: What the paper prints there.
        root: Root of the clone.
        missing: Trainings whose evaluations are left out, if any, which their cells say.

    Raises:
        SettingsError: Two rows of the table's file say the same.
        RecordError: An evaluation or its receipt is damaged, or an evaluation has no receipt.
    """
    table = plan.tables[name]
    gathering = _Gathering(plan, table, published, root, missing or {})
    lines: dict[tuple[object, ...], Line] = {}
    for position, row in enumerate(table.rows):
        for column in table.columns:
            for line in gathering.lines(row, column):
                # a row's name says all in the paper, so its dataset is no part of the key
                key = (row.row, column.paper, line.record.selection, line.record.fidelity)
                if key in lines:
                    raise SettingsError(
                        f"params/experiments/{name}.yaml",
                        f"rows.{position}.row",
                        f"{row.row!r} is given twice",
                        allowed="rows of one name that differ in selections or fidelity",
                    )
                lines[key] = line
    return list(lines.values())


@dataclass(frozen=True)
class _Gathering:
    """What all lines of a table come from."""

    plan: Plan
    table: Table
    published: Published
    root: Path
    missing: Missing

    def lines(self, row: Row, column: Column) -> Iterator[Line]:
        """The lines of a cell, one a selection."""
        number = self.published.number(row.row, column.paper)
        paper_dataset = self.table.dataset_of(row, column)
        running = self.plan.scale.datasets.get(paper_dataset)
        selections: tuple[Selection | None, ...] = row.selections if row.run else (None,)
        if running is None:
            if self.plan.scale.real:
                cell = _Cell(self.table, row, column, paper_dataset, paper_dataset, number, number)
                for selection in selections:
                    yield cell.line(selection, "published_only" if number else "not_run")
            return
        # beside a number measured on other data, the paper's would invite a wrong comparison
        comparable = number if self.plan.scale.real and running == paper_dataset else None
        stand_in = self.plan.datasets[running].stand_in
        cell = _Cell(self.table, row, column, paper_dataset, running, number, comparable, stand_in)
        if row.run is None:
            assert row.status is not None and row.reason is not None
            yield cell.line(None, row.status, (row.reason,))
            return
        identifiers = [f"{running}/{name}" for name in row.runs]
        runs = [self.plan.runs[each] for each in identifiers if each in self.plan.runs]
        if runs:
            yield from self._measured(cell, runs)
            return
        for selection in selections:
            yield cell.line(selection, "not_run", (self._why_absent(identifiers, row),))

    def _why_absent(self, identifiers: list[str], row: Row) -> str:
        scale = self.plan.scale
        if any(scale.skips(identifier) for identifier in identifiers):
            return scale.skip_reason or f"left out at scale {scale.name}"
        # the same words for every dataset, so that they make one footnote
        if row.fidelity == "corrected":
            return "nothing to correct on this dataset: as published is what the paper describes"
        return "not defined on this dataset"

    def _measured(self, cell: _Cell, runs: list[Run]) -> Iterator[Line]:
        row, fraction = cell.row, cell.column.fraction
        seeds = [(run, seed) for run in runs for seed in run.seeds]
        gaps = [self.missing[run.id, seed] for run, seed in seeds if (run.id, seed) in self.missing]
        present = [(run, seed) for run, seed in seeds if (run.id, seed) not in self.missing]
        evaluations = read_evaluations(present, self.root)
        for selection in row.selections:
            measured = measure(
                runs,
                evaluations,
                selection,
                self.table.metric_of(cell.column),
                fraction=fraction,
                folds=row.folds,
            )
            if measured is not None:
                yield self._line(cell, selection, measured, tuple(gaps))
            elif evaluations and all(seed.evaluation.k_classes is None for seed in evaluations):
                sources = [seed.source for seed in evaluations]
                notes, number = (UNLABELLED, *gaps), len(sources)
                yield cell.line(selection, "unlabelled", notes, sources, n_seeds=number)
            elif evaluations:
                share = "" if fraction is None else " with this share of the labels"
                reason = f"no selection {selection}{share} in this run"
                yield cell.line(selection, "not_run", (reason, *gaps))
            else:
                reasons = tuple(gaps) or ("no result of this run",)
                yield cell.line(selection, "not_run", reasons, unfinished=bool(gaps))

    def _line(
        self, cell: _Cell, selection: Selection, measured: Measured, gaps: tuple[str, ...]
    ) -> Line:
        values, comparable = measured.values, cell.comparable
        mean = cents(statistics.fmean(values))
        std = cents(statistics.stdev(values)) if len(values) > 1 else None
        if cell.row.over_seeds == "best":
            # the best of few seeds does not compare with the best of many, so without a verdict
            mean, std, comparable = cents(max(values)), None, None
            gaps = (BEST, *gaps)
        spreads = {"folds": measured.folds, "draws": measured.draws}
        return cell.line(
            selection,
            "measured",
            (*measured.notes, *gaps),
            measured.sources,
            tuple(f"{of} ± {cents(value)}" for of, value in spreads.items() if value is not None),
            ours_mean=mean,
            ours_std=std,
            ours_std_heads=None if measured.heads is None else cents(measured.heads),
            n_seeds=len(values),
            verdict=verdict(
                comparable.value if comparable else None,
                self.published.tolerances[cell.paper_dataset],
                mean,
                std,
                # a seed without all its folds is no answer to the paper's number
                len(values) if measured.complete else 0,
                real=not cell.stand_in,
            ),
        )


@dataclass(frozen=True)
class _Cell:
    """A row and a column: what all lines of the cell have in common."""

    table: Table
    row: Row
    column: Column
    paper_dataset: str
    dataset: str
    number: Number | None
    comparable: Number | None
    stand_in: bool = False

    def line(
        self,
        selection: Selection | None,
        status: Status,
        notes: tuple[str, ...] = (),
        sources: Sequence[SeedSource] = (),
        spreads: tuple[str, ...] = (),
        *,
        unfinished: bool = False,
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
                "metric": self.table.metric_of(self.column),
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
            seeds=list(sources),
            published=number.source if number else None,
        )
        return Line(record, cell, self.paper_dataset, self.number, spreads, notes, unfinished)
