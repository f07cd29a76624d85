"""The paper's layout of a table, before it becomes Markdown or LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from string import ascii_lowercase

from iic.params.experiments import Column
from iic.params.runs import Plan
from iic.publish.cells import Line
from iic.publish.published import Published
from iic.records.table import TableRow

SELECTIONS = {
    "as_published": "epoch of best label accuracy, then its sub-head of lowest loss (the paper's "
    "way; needs labels)",
    "as_published_mean": "epoch of best label accuracy, mean over sub-heads (the paper's avg row; "
    "needs labels)",
    "label_free": "last epoch, sub-head of lowest loss; no labels used",
    "mean_head": "last epoch, mean over sub-heads; no labels used",
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
    "inconclusive": "fewer than 3 seeds, or a standard deviation over seeds above 5 points",
}


@dataclass(frozen=True)
class Head:
    """One of the paper's columns."""

    paper: str
    dataset: str
    text: str
    """What stands above our numbers."""
    published: bool
    """Whether the paper's numbers stand beside ours."""
    ours: bool
    """Whether the scale covers the column."""
    stand_in: bool


@dataclass(frozen=True)
class Entry:
    """One row of the laid-out table: a row of the paper by one selection and fidelity."""

    name: str
    mark: str
    selection: str | None
    fidelity: str | None
    lines: dict[str, Line]
    """The paper's column -> line."""


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
    letters: dict[tuple[str, ...], str]
    marks: dict[str, str]
    elsewhere: list[str]
    """The paper's numbers on datasets in whose place another ran: for the caption only."""
    sources: list[str]
    tolerances: str
    """Tolerance of each column that has verdicts."""

    def letters_of(self, line: Line) -> str:
        """Letters of the footnotes of a cell, e.g. ``a,c``."""
        return self.letters.get(line.notes, "")

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
        used = {line.record.verdict for entry in self.entries for line in entry.lines.values()}
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
    heads = [_head(plan, column) for column in table.columns if column.paper in shown]
    entries = _entries(lines, published)
    distinct = list(dict.fromkeys(note for line in lines for note in line.notes))
    letter = {note: _letter(position) for position, note in enumerate(distinct)}
    return Layout(
        title=titled(name, table.title)
        + (" (stand-in data)" if any(head.stand_in for head in heads) else ""),
        caption=(
            f"{table.caption} Scale {plan.scale.name}: {plan.scale.description} "
            f"Machine: {plan.scale.machine}."
        ),
        heads=heads,
        entries=entries,
        notes={letter[note]: note for note in distinct},
        letters={line.notes: ",".join(letter[note] for note in line.notes) for line in lines},
        marks={sign: mark.meaning for sign, mark in published.marks.items()},
        elsewhere=[
            _elsewhere(plan, head, lines, published) for head in heads if not head.published
        ],
        sources=published.sources(),
        tolerances=", ".join(
            f"{head.paper} {published.tolerances[head.paper]}"
            for head in heads
            if any(line.record.verdict for e in entries if (line := e.lines[head.paper]))
        ),
    )


def titled(name: str, title: str) -> str:
    """Title with the number that the display's name gives it: `supp_table_1` is one."""
    number = name.replace("_", " ").replace("supp ", "supplementary ")
    return f"{number[0].upper()}{number[1:]}. {title}"


def score(value: Decimal | None, std: Decimal | None) -> str:
    """A number with its spread, e.g. ``59.8 ± 0.844``."""
    if value is None:
        return ""
    return f"{value} ± {std}" if std is not None else f"{value}"


def count(record: TableRow) -> str:
    """How many runs a mean is of, and the spread over their sub-heads where that is averaged."""
    heads = record.selection in ("as_published_mean", "mean_head") and record.ours_std_heads
    return f"n = {record.n_seeds}" + (f"; sub-heads ± {record.ours_std_heads}" if heads else "")


def _head(plan: Plan, column: Column) -> Head:
    running = plan.scale.datasets.get(column.dataset)
    own = plan.scale.real and running in (None, column.dataset)
    stand_in = running is not None and plan.datasets[running].stand_in
    text = column.paper if own else f"{running}, in place of {column.paper}"
    return Head(
        paper=column.paper,
        dataset=running or column.dataset,
        text=text + (" (stand-in data)" if stand_in else ""),
        published=own,
        ours=running is not None,
        stand_in=stand_in,
    )


def _entries(lines: list[Line], published: Published) -> list[Entry]:
    grouped: dict[tuple[str, str | None, str | None], dict[str, Line]] = {}
    for line in lines:
        record = line.record
        key = (record.row, record.selection, record.fidelity)
        grouped.setdefault(key, {})[record.paper_column] = line
    return [
        Entry(name, published.row_marks(name), selection, fidelity, cells)
        for (name, selection, fidelity), cells in grouped.items()
    ]


def _elsewhere(plan: Plan, head: Head, lines: list[Line], published: Published) -> str:
    numbers: dict[str, str] = {}
    for line in lines:
        if line.record.paper_column == head.paper and line.published:
            number = line.published
            text = f"{line.record.row} {score(number.value, number.std)}{number.mark}"
            numbers[line.record.row] = text
    title = plan.datasets[head.dataset].title
    return (
        f"The paper's numbers for {head.paper}, which is another dataset than {head.dataset} "
        f"({title}), so that ours do not compare with them: {'; '.join(numbers.values())}."
    )


def _letter(position: int) -> str:
    quotient, rest = divmod(position, len(ascii_lowercase))
    return (_letter(quotient - 1) if quotient else "") + ascii_lowercase[rest]
