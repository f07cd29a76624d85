"""The tidy csv of a table: one line per row, paper column, selection and fidelity.

The columns and their order are a contract. All scores are in percent, written with two decimals;
published numbers keep the decimals that the paper prints. An empty field means that there is no
such number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from iic.params.base import Model
from iic.params.experiments import Fidelity, Selection
from iic.records.files import RecordError

Status = Literal["measured", "unlabelled", "not_run", "published_only"]
"""``unlabelled``: it ran, on images without labels, so that there is no score."""
Verdict = Literal["reproduced", "above", "below", "inconclusive"]

CENT = Decimal("0.01")


class TableRow(Model):
    """One line of the csv; the order of the fields is the order of the columns."""

    table: str
    row: str
    """The paper's name of the row."""
    column: str
    """The dataset that ran; the paper's own where nothing ran."""
    paper_column: str
    """The paper's head of the column: a dataset, or a share of the labels."""
    metric: str
    published: Decimal | None
    """As printed; None too where another dataset ran than the paper's."""
    published_std: Decimal | None
    published_mark: str | None
    """Marks printed beside the row's name or the number, e.g. ``†‡*``."""
    ours_mean: Decimal | None
    """Mean over seeds; a seed's value is itself the mean over folds, or over draws of labels, where
    the row or the column has them."""
    ours_std: Decimal | None
    """Standard deviation over seeds (ddof 1); None for one seed."""
    ours_std_heads: Decimal | None
    """Standard deviation over sub-heads (ddof 0, as the paper prints it), averaged over seeds."""
    n_seeds: int | None = Field(ge=1)
    selection: Selection | None
    """How the reported model is picked; None for a row that no run feeds."""
    fidelity: Fidelity | None
    data: Literal["real", "stand-in"]
    status: Status
    verdict: Verdict | None


COLUMNS = tuple(TableRow.model_fields)


def cents(value: float) -> Decimal:
    """`value` as the tables print it: two decimals, halves to even, never a negative zero."""
    return Decimal(repr(value)).quantize(CENT, ROUND_HALF_EVEN) + Decimal("0.00")


def dump_table(rows: Iterable[TableRow]) -> bytes:
    """The csv's bytes: a header, LF line ends, UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = [getattr(row, column) for column in COLUMNS]
        writer.writerow(["" if value is None else str(value) for value in values])
    return text.getvalue().encode()


def read_table(path: Path) -> list[TableRow]:
    """The lines of a csv that `dump_table` wrote.

    Raises:
        RecordError: The file is absent, has other columns, or a field does not fit; names the
            line and the column.
    """
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise RecordError(f"{path}: line 1: the columns are not {','.join(COLUMNS)}")
    rows = []
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) != len(COLUMNS):
            raise RecordError(
                f"{path}: line {number}: {len(fields)} fields in place of {len(COLUMNS)}"
            )
        values = {name: text or None for name, text in zip(COLUMNS, fields, strict=True)}
        try:
            rows.append(TableRow.model_validate(values, strict=False))
        except ValidationError as error:
            first = error.errors()[0]
            column = ".".join(str(part) for part in first["loc"])
            raise RecordError(f"{path}: line {number}: {column}: {first['msg']}") from None
    return rows
