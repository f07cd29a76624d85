"""What tables say in words: the one place that decides it, for every form of a table.

The forms (`iic.publish.markdown`, `iic.publish.latex`, the report page) only lay out what stands
here and in `iic.publish.layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from iic.publish.cells import Line
from iic.publish.published import Number, Published

NOTHING = "–"
UNFINISHED = "not run"
"""In place of a number that a failure holds back, in a table that does not wait for it."""

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
    "own": "a recipe of this project, not the paper's (docs/performance.md)",
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
class CellText:
    """What one cell says; how that looks is for each form of the table."""

    kind: Literal["name", "word", "published", "ours"]
    text: str
    marks: str = ""
    """The paper's, beside its number."""
    notes: str = ""
    """Letters of footnotes, e.g. ``a,c``."""
    detail: str = ""
    """Of how many seeds a mean is, and the spreads within a seed; empty without a number."""
    verdict: str = ""


@dataclass(frozen=True)
class Legend:
    """Explanations of the signs and words of a table, by sign or word."""

    title: str
    texts: Mapping[str, str]
    code: bool = True
    """Whether they are words of the csv, rather than signs."""


@dataclass(frozen=True)
class Grid:
    """A plain table of text, as listings are made of."""

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    words: int
    """How many columns are of words; they come first, numbers after them."""
    title: str = ""
    """Heading of one grid of several."""
    caption: str = ""
    """What a caption adds for this grid."""
    label: str = ""
    """End of the grid's name, where there are several."""


def published_text(number: Number | None, published: Published) -> CellText:
    """A cell with the paper's number, or with none."""
    if number is None:
        return CellText("published", NOTHING)
    marks = published.number_marks(number)
    return CellText("published", score(number.value, number.std), marks)


def ours_text(line: Line, notes: str) -> CellText:
    """A cell with our number, or with none.

    Args:
        line: The cell's line.
        notes: Letters of its footnotes.
    """
    record = line.record
    if record.ours_mean is None:
        return CellText("ours", UNFINISHED if line.unfinished else NOTHING, notes=notes)
    return CellText(
        "ours",
        score(record.ours_mean, record.ours_std),
        notes=notes,
        detail=count(line),
        verdict=record.verdict or "",
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
