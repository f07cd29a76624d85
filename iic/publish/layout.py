"""The paper's layout of a table, before it becomes Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from string import ascii_lowercase

from iic.params.experiments import Column, Table
from iic.params.runs import Plan
from iic.publish.cells import Line
from iic.publish.published import Published

SELECTIONS = {
    "as_published": "epoch of best label accuracy (on the test images where these are scored), "
    "then its sub-head of lowest loss, or for IIC* of best accuracy on the labels that clusters "
    "are mapped with (the released code's way; needs labels)",
    "as_published_mean": "epoch of best label accuracy, mean over sub-heads (the paper's avg row; "
    "needs labels)",
    "label_free": "last epoch, sub-head of lowest loss; picked without labels",
    "mean_head": "last epoch, mean over sub-heads; picked without labels",
}
FIDELITIES = {
    "as_published": "the released code's settings, its deviations from the paper included",
    "corrected": "the settings that the paper's text describes",
}
VERDICTS = {
    "reproduced": "ours is within the tolerance, or within twice its standard error over seeds",
    "above": "ours is higher than the published number by more than the tolerance and twice its "
    "standard error over seeds",
    "below": "ours is lower than the published number by more than the tolerance and twice its "
    "standard error over seeds",
    "inconclusive": "fewer than 3 seeds, or not all of a row's folds, or a standard deviation over "
    "seeds above 5 points",
}


@dataclass(frozen=True)
class Head:
    """One of the paper's columns."""

    paper: str
    text: str
    """What stands above our numbers."""
    published: bool
    """Whether the paper's numbers stand beside ours, in a table of which it prints any."""
    ours: bool
    """Whether the scale covers the column, or a row of it."""
    stand_in: bool
    """Whether a number of the column is of stand-in data."""


@dataclass(frozen=True)
class Entry:
    """One row of the laid-out table: a row of the paper by one selection and fidelity."""

    name: str
    """The paper's name of the row, with what ran in place of its dataset where it has its own."""
    mark: str
    selection: str | None
    fidelity: str | None
    lines: dict[str, Line]
    """The paper's column -> line."""
    notes: tuple[str, ...]
    """Footnotes on the row's name: those that all of its cells have."""

    def cell_notes(self, line: Line) -> list[str]:
        """Footnotes on one cell alone."""
        return [note for note in line.notes if note not in self.notes]


@dataclass(frozen=True)
class Layout:
    """A table as both text forms show it."""

    title: str
    """With the table's number, e.g. ``Table 1. Unsupervised image clustering``."""
    caption: str
    heads: list[Head]
    entries: list[Entry]
    notes: dict[str, str]
    """Letter -> footnote."""
    marks: dict[str, str]
    elsewhere: list[str]
    """The paper's numbers on datasets in whose place another ran: for the caption only."""
    sources: list[str]
    tolerances: str
    """Tolerance on each dataset that has verdicts."""

    def letters_of(self, notes: Iterable[str]) -> str:
        """Letters of footnotes in their order, e.g. ``a,c``."""
        wanted = set(notes)
        return ",".join(letter for letter, note in self.notes.items() if note in wanted)

    @property
    def lines(self) -> list[Line]:
        """The lines of all entries."""
        return [line for entry in self.entries for line in entry.lines.values()]

    @property
    def spread(self) -> str:
        """What ± means for our numbers, as they stand in this table."""
        kinds = list(dict.fromkeys(text.split()[0] for line in self.lines for text in line.spreads))
        inside = f"; {' and '.join(kinds)} ±: over these within a seed, averaged" if kinds else ""
        return f"Ours: mean ± standard deviation over n seeds (ddof 1; none for one seed){inside}."

    @property
    def used_selections(self) -> dict[str, str]:
        """Selection -> explanation, of those in the table."""
        used = {entry.selection for entry in self.entries}
        return {name: text for name, text in SELECTIONS.items() if name in used}

    @property
    def used_fidelities(self) -> dict[str, str]:
        """Fidelity -> explanation; empty where there is only one."""
        used = {entry.fidelity for entry in self.entries if entry.fidelity}
        return {name: text for name, text in FIDELITIES.items() if len(used) > 1 and name in used}

    @property
    def used_verdicts(self) -> dict[str, str]:
        """Verdict -> explanation, of those in the table."""
        used = {line.record.verdict for line in self.lines}
        texts = {name: text for name, text in VERDICTS.items() if name in used}
        return texts | ({"tolerances in points": self.tolerances} if texts else {})


def lay_out(plan: Plan, name: str, lines: list[Line], published: Published) -> Layout:
    """Arrange a table's lines as the paper does.

    Args:
        plan: What the scale holds.
        name: Name of the table.
        lines: What `iic.publish.cells.gather` found.
        published: What the paper prints there.
    """
    table = plan.tables[name]
    shown = {line.record.paper_column for line in lines}
    head = _fraction_head if table.by_fraction else _dataset_head
    every = [head(plan, table, column) for column in table.columns if column.paper in shown]
    if not published.numbers:
        every = [replace(one, published=False) for one in every]
    heads = [one for one in every if one.published or one.ours]
    # a dataset is called as the paper heads its column, where it has one
    names = {column.dataset: column.paper for column in table.columns if column.dataset}
    distinct = list(dict.fromkeys(note for line in lines for note in line.notes))
    return Layout(
        title=titled(name, table.title)
        + (" (stand-in data)" if any(head.stand_in for head in heads) else ""),
        caption=(
            f"{table.caption} Scale {plan.scale.name}: {plan.scale.description} "
            f"Machine: {plan.scale.machine}."
        ),
        heads=heads,
        entries=_entries(plan, table, heads, lines, published),
        notes={_letter(position): note for position, note in enumerate(distinct)},
        marks={sign: mark.meaning for sign, mark in published.marks.items()},
        elsewhere=[
            _elsewhere(plan, dataset, names.get(dataset, dataset), lines)
            for dataset in table.datasets
            if dataset in plan.scale.datasets and not _own(plan, dataset)
        ],
        sources=published.sources(),
        tolerances=", ".join(
            f"{names.get(dataset, dataset)} {published.tolerances[dataset]}"
            for dataset in table.datasets
            if any(line.record.verdict for line in lines if line.paper_dataset == dataset)
        ),
    )


def titled(name: str, title: str) -> str:
    """Title with the number that the display's name gives it, if any: `supp_table_1` is one."""
    if not name[-1].isdigit():
        return title
    number = name.replace("_", " ").replace("supp ", "supplementary ")
    return f"{number[0].upper()}{number[1:]}. {title}"


def score(value: Decimal | None, std: Decimal | None) -> str:
    """A number with its spread, e.g. ``59.8 ± 0.844``."""
    if value is None:
        return ""
    return f"{value} ± {std}" if std is not None else f"{value}"


def count(line: Line) -> str:
    """How many seeds a mean is of, and the spreads within a seed."""
    record = line.record
    parts = [f"n = {record.n_seeds}"]
    if record.selection in ("as_published_mean", "mean_head") and record.ours_std_heads:
        parts.append(f"sub-heads ± {record.ours_std_heads}")
    return "; ".join([*parts, *line.spreads])


def _own(plan: Plan, dataset: str) -> bool:
    """Whether the paper's numbers on `dataset` may stand beside ours: nothing else ran for it."""
    return plan.scale.real and plan.scale.datasets.get(dataset) in (None, dataset)


def _stand_in(plan: Plan, dataset: str | None) -> bool:
    """Whether stand-in data runs in place of the paper's `dataset`."""
    running = plan.scale.datasets.get(dataset or "")
    return running is not None and plan.datasets[running].stand_in


def _dataset_head(plan: Plan, table: Table, column: Column) -> Head:
    dataset = column.dataset or ""
    running = plan.scale.datasets.get(dataset)
    own = _own(plan, dataset)
    stand_in = _stand_in(plan, dataset)
    text = column.paper if own else f"{running}, in place of {column.paper}"
    return Head(
        paper=column.paper,
        text=text + (" (stand-in data)" if stand_in else ""),
        published=own,
        ours=running is not None,
        stand_in=stand_in,
    )


def _fraction_head(plan: Plan, table: Table, column: Column) -> Head:
    covered = [dataset for dataset in table.datasets if dataset in plan.scale.datasets]
    stand_in = [dataset for dataset in covered if _stand_in(plan, dataset)]
    partly = "" if len(stand_in) == len(covered) else "partly "
    return Head(
        paper=column.paper,
        text=column.paper + (f" ({partly}stand-in data)" if stand_in else ""),
        published=plan.scale.real,
        ours=bool(covered),
        stand_in=bool(stand_in),
    )


def _entries(
    plan: Plan, table: Table, heads: list[Head], lines: list[Line], published: Published
) -> list[Entry]:
    grouped: dict[tuple[str, str | None, str | None], dict[str, Line]] = {}
    for line in lines:
        record = line.record
        key = (record.row, record.selection, record.fidelity)
        grouped.setdefault(key, {})[record.paper_column] = line
    entries = []
    for (name, selection, fidelity), cells in grouped.items():
        mark, text = published.row_marks(name), name
        first = next(iter(cells.values()))
        if table.by_fraction and not _own(plan, first.paper_dataset):
            kind = " (stand-in data)" if _stand_in(plan, first.paper_dataset) else ""
            text = f"{name}: {first.record.column}, in place of {first.paper_dataset}{kind}"
        ours = [cells[head.paper].notes for head in heads if head.ours]
        shared = [
            note for note in (ours[0] if len(ours) > 1 else ()) if all(note in n for n in ours)
        ]
        entries.append(Entry(text, mark, selection, fidelity, cells, tuple(shared)))
    return entries


def _elsewhere(plan: Plan, dataset: str, name: str, lines: list[Line]) -> str:
    numbers: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.paper_dataset == dataset and line.published:
            number = line.published
            text = score(number.value, number.std) + number.mark
            numbers.setdefault(line.record.row, {})[line.record.paper_column] = text
    running = plan.scale.datasets[dataset]
    if not numbers:
        return f"{running} runs in place of {name}, which is another dataset."
    values = "; ".join(f"{row} {', '.join(texts.values())}" for row, texts in numbers.items())
    return (
        f"The paper's numbers for {name}, which is another dataset than {running} "
        f"({plan.datasets[running].title}), so that ours do not compare with them: {values}."
    )


def _letter(position: int) -> str:
    quotient, rest = divmod(position, len(ascii_lowercase))
    return (_letter(quotient - 1) if quotient else "") + ascii_lowercase[rest]
