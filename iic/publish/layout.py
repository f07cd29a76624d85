"""The paper's layout of a table, before it becomes Markdown, LaTeX or a part of the report page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from iic.publish.cells import Line
from iic.publish.published import Published
from iic.publish.wording import (
    FIDELITIES,
    NOTHING,
    SELECTIONS,
    UNFINISHED,
    VERDICTS,
    CellText,
    Legend,
    ours_text,
    published_text,
)


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

    @property
    def parts(self) -> list[str]:
        """Heads of the columns below it."""
        return ["published"] * self.published + ["ours"] * self.ours


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

    @property
    def title(self) -> str:
        """The name with its mark."""
        return f"{self.name} {self.mark}".strip()

    def cell_notes(self, line: Line) -> list[str]:
        """Footnotes on one cell alone."""
        return [note for note in line.notes if note not in self.notes]


@dataclass(frozen=True)
class Layout:
    """A table as all its forms show it."""

    title: str
    """With the table's number, e.g. ``Table 1. Unsupervised image clustering``."""
    caption: str
    heads: list[Head]
    entries: list[Entry]
    notes: dict[str, str]
    """Letter -> footnote."""
    published: Published
    origins: Mapping[str, list[str]]
    """References of the methods and datasets that ran, by their names."""
    elsewhere: list[str]
    """The paper's numbers on datasets in whose place another ran: for the caption only."""
    tolerances: str
    """Tolerance on each dataset that has verdicts."""

    def letters_of(self, notes: Iterable[str]) -> str:
        """Letters of footnotes in their order, e.g. ``a,c``."""
        texts = set(notes)
        return ",".join(letter for letter, note in self.notes.items() if note in texts)

    @property
    def lines(self) -> list[Line]:
        """The lines of all entries."""
        return [line for entry in self.entries for line in entry.lines.values()]

    @property
    def several_fidelities(self) -> bool:
        """Whether the table has to tell fidelities apart."""
        return len({entry.fidelity for entry in self.entries if entry.fidelity}) > 1

    @property
    def first_heads(self) -> list[str]:
        """Heads of the columns of words, which stand before the numbers."""
        return ["Method", "Selection"] + ["Fidelity"] * self.several_fidelities

    def row(self, entry: Entry) -> list[CellText]:
        """What each cell of a row says."""
        words = [entry.selection] + [entry.fidelity] * self.several_fidelities
        cells = [CellText("name", entry.title, notes=self.letters_of(entry.notes))]
        cells += [CellText("word", word or NOTHING) for word in words]
        for head in self.heads:
            cells += [self.published_cell(entry, head)] * head.published
            cells += [self.ours_cell(entry, head)] * head.ours
        return cells

    def published_cell(self, entry: Entry, head: Head) -> CellText:
        """What a cell of the paper's numbers says."""
        return published_text(entry.lines[head.paper].published, self.published)

    def ours_cell(self, entry: Entry, head: Head) -> CellText:
        """What a cell of our numbers says."""
        line = entry.lines[head.paper]
        return ours_text(line, self.letters_of(entry.cell_notes(line)))

    @property
    def spread(self) -> str:
        """What ± means for our numbers, as they stand in this table; empty where none can."""
        if not any(head.ours for head in self.heads):
            return ""
        kinds = list(dict.fromkeys(text.split()[0] for line in self.lines for text in line.spreads))
        inside = f"; {' and '.join(kinds)} ±: over these within a seed, averaged" if kinds else ""
        return f"Ours: mean ± standard deviation over n seeds (ddof 1; none for one seed){inside}."

    @property
    def legends(self) -> list[Legend]:
        """What explains the signs and words that are in the table."""
        marks = {sign: mark.meaning for sign, mark in self.published.marks.items()}
        selections = _used(SELECTIONS, (entry.selection for entry in self.entries))
        fidelities = _used(FIDELITIES, (entry.fidelity for entry in self.entries))
        verdicts = _used(VERDICTS, (line.record.verdict for line in self.lines))
        verdicts |= {"tolerances in points": self.tolerances} if verdicts else {}
        every = [
            Legend("Marks of the paper", marks, code=False),
            Legend("Selections, how the reported model is picked", selections),
            Legend("Fidelities", fidelities if self.several_fidelities else {}),
            Legend("Verdicts", verdicts, code=False),
        ]
        return [legend for legend in every if legend.texts]

    @property
    def sources(self) -> str:
        """Where the published numbers stand, as a sentence."""
        places = "; ".join(self.published.sources())
        return f"Published numbers: {places}." if places else "Nothing of this is published."

    def unfinished(self, measured: int, trainings: int) -> Layout:
        """This table, marked as one that does not wait for all of its trainings."""
        return replace(
            self,
            title=f"{self.title} (partial: {measured} of {trainings} trainings)",
            caption=f"{self.caption} Not the finished table: `{UNFINISHED}` stands for what failed "
            "or was not reached, its note says why, and a mean may be over fewer seeds than "
            "planned.",
        )


def _used(texts: Mapping[str, str], used: Iterable[str | None]) -> dict[str, str]:
    present = set(used)
    return {name: text for name, text in texts.items() if name in present}
