"""The paper's numbers as printed, with their marks, and the tolerances of the verdict.

``params/published/<table>.csv`` has the numbers (columns `row,column,value,std,mark,source`),
``marks.csv`` says what each mark means in each table, ``tolerances.csv`` gives the tolerance on
each of the paper's datasets, and as `default` on others. A table without a file has no numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from iic.params.errors import SettingsError
from iic.params.experiments import Table

FOLDER = Path("params/published")
NUMBERS = ("row", "column", "value", "std", "mark", "source")
MARKS = ("table", "mark", "place", "meaning")
PLACES = ("row", "number")
TOLERANCES = ("dataset", "tolerance", "kind")
DEFAULT = "default"
"""In `TOLERANCES`, every dataset that has no line of its own."""
OTHER_FILES = ("marks", "tolerances", "learning_curves")
"""Files of the folder that are no table's."""


@dataclass(frozen=True)
class Number:
    """One printed number, in percent."""

    value: Decimal
    std: Decimal | None
    """As printed after ±: in Table 1 over the sub-heads of one run."""
    mark: str
    source: str


@dataclass(frozen=True)
class Mark:
    """A sign beside a name or a number, explained in the legend."""

    place: str
    """One of `PLACES`."""
    meaning: str


@dataclass(frozen=True)
class Published:
    """What the paper prints in one table."""

    numbers: dict[tuple[str, str], Number]
    """(row, column), both as the paper names them -> number."""
    marks: dict[str, Mark]
    """In the order of the legend."""
    tolerances: dict[str, Decimal]
    """The paper's dataset -> percentage points."""

    def number(self, row: str, column: str) -> Number | None:
        """The number of a cell, where the paper prints one."""
        return self.numbers.get((row, column))

    def row_marks(self, row: str) -> str:
        """The marks printed beside the name of a row, without those that are part of the name."""
        numbers = (number for (name, _), number in self.numbers.items() if name == row)
        used = {mark for number in numbers for mark in number.mark}
        return "".join(
            mark
            for mark, meaning in self.marks.items()
            if mark in used and meaning.place == "row" and mark not in row
        )

    def number_marks(self, number: Number) -> str:
        """The marks printed beside a number itself."""
        return "".join(mark for mark in number.mark if self.marks[mark].place == "number")

    def sources(self) -> list[str]:
        """Where the numbers stand, each place once."""
        return list(dict.fromkeys(number.source for number in self.numbers.values()))


def published_files(table: str) -> tuple[Path, ...]:
    """The files that `load_published` reads, relative to the root of the clone."""
    return FOLDER / f"{table}.csv", FOLDER / "marks.csv", FOLDER / "tolerances.csv"


def load_published(table: Table, root: Path = Path()) -> Published:
    """Read and check what the paper prints in `table`.

    Raises:
        SettingsError: A file is malformed, marks or tolerances are absent, or the numbers name a
            row, column or mark that the table's experiments file does not have; names file and
            line.
    """
    numbers_file, marks_file, tolerances_file = (
        root / path for path in published_files(table.name)
    )
    marks = _marks(marks_file, table.name)
    columns = {column.paper: column for column in table.columns}
    rows = list(dict.fromkeys(row.row for row in table.rows))
    experiments = f"params/experiments/{table.name}.yaml"
    numbers: dict[tuple[str, str], Number] = {}
    # no file: the paper prints nothing of this table
    for line, fields in _lines(numbers_file, NUMBERS) if numbers_file.exists() else ():
        where = _Where(numbers_file, line)
        where.require("row", fields["row"], rows, experiments)
        where.require("column", fields["column"], columns, experiments)
        for mark in fields["mark"]:
            where.require("mark", mark, marks, str(marks_file))
        cell = (fields["row"], fields["column"])
        metric = table.metric_of(columns[fields["column"]])
        if metric == "miou":
            raise where.error(
                "value",
                f"{' x '.join(cell)} has a published number, but the paper prints accuracies alone "
                f"and {experiments} is of metric {metric!r}",
            )
        if cell in numbers:
            raise where.error("row", f"{' x '.join(cell)} is given twice")
        if not fields["source"]:
            raise where.error("source", "a published number without its source")
        numbers[cell] = Number(
            value=where.decimal("value", fields["value"]),
            std=where.decimal("std", fields["std"]) if fields["std"] else None,
            mark=fields["mark"],
            source=fields["source"],
        )
    tolerances = _tolerances(tolerances_file)
    for dataset in table.datasets:
        if dataset not in tolerances and DEFAULT not in tolerances:
            raise SettingsError(
                str(tolerances_file),
                "dataset",
                f"no tolerance for dataset {dataset!r}",
                allowed=", ".join(tolerances),
                candidates=tolerances,
                given=dataset,
            )
    of_table = {
        dataset: tolerances[dataset if dataset in tolerances else DEFAULT]
        for dataset in table.datasets
    }
    return Published(numbers, marks, of_table)


def check_published(
    tables: Mapping[str, Table], defined: Iterable[str], root: Path = Path()
) -> None:
    """Check what the tables of a plan need of printed numbers, before anything runs.

    Args:
        tables: Tables by name.
        defined: Names of all tables, shown or not: a file of another name is misspelt, and its
            numbers would be missed in silence.
        root: Root of the clone.

    Raises:
        SettingsError: As `load_published`, or a file is no table's.
    """
    names = [*defined, *OTHER_FILES]
    for path in sorted((root / FOLDER).glob("*.csv")):
        if path.stem not in names:
            raise SettingsError(
                str(path),
                "",
                f"{path.stem!r} is no table of params/experiments",
                candidates=names,
                given=path.stem,
            )
    for table in tables.values():
        load_published(table, root)


def _marks(file: Path, table: str) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    for line, fields in _lines(file, MARKS):
        where = _Where(file, line)
        if len(fields["mark"]) != 1:
            raise where.error("mark", f"{fields['mark']!r} is not one character")
        where.require("place", fields["place"], PLACES, "the marks")
        if fields["table"] == table:
            marks[fields["mark"]] = Mark(fields["place"], fields["meaning"])
    return marks


def _tolerances(file: Path) -> dict[str, Decimal]:
    tolerances: dict[str, Decimal] = {}
    for line, fields in _lines(file, TOLERANCES):
        where = _Where(file, line)
        if fields["dataset"] in tolerances:
            raise where.error("dataset", f"{fields['dataset']!r} is given twice")
        tolerances[fields["dataset"]] = where.decimal("tolerance", fields["tolerance"])
    return tolerances


@dataclass(frozen=True)
class _Where:
    """A line of a file, for errors."""

    file: Path
    line: int

    def error(
        self, key: str, problem: str, names: Sequence[str] = (), given: str | None = None
    ) -> SettingsError:
        return SettingsError(
            str(self.file),
            f"line {self.line}, {key}",
            problem,
            allowed=", ".join(names) or None,
            candidates=names,
            given=given,
        )

    def require(self, key: str, given: str, names: Iterable[str], origin: str) -> None:
        names = list(names)
        if given not in names:
            raise self.error(key, f"{given!r} is no {key} of {origin}", names, given)

    def decimal(self, key: str, text: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("nan")
        if not value.is_finite() or not 0 <= value <= 100:
            raise self.error(key, f"{text!r} is no number from 0 to 100")
        return value


def _lines(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(str(file), "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(file), "", f"cannot be read: {error}") from error
    if not text.strip():
        raise SettingsError(
            str(file), "", "the file is empty", allowed=f"columns {', '.join(columns)}"
        )
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for fields in reader:
            if reader.line_num == 1:
                if tuple(fields) != columns:
                    raise SettingsError(
                        str(file),
                        "line 1",
                        f"columns {', '.join(fields)}",
                        allowed=", ".join(columns),
                    )
            elif len(fields) != len(columns):
                raise SettingsError(
                    str(file),
                    f"line {reader.line_num}",
                    f"{len(fields)} fields",
                    allowed=f"{len(columns)}: {', '.join(columns)}",
                )
            else:
                yield reader.line_num, dict(zip(columns, fields, strict=True))
    except csv.Error as error:
        raise SettingsError(
            str(file), f"line {reader.line_num}", f"no valid csv: {error}"
        ) from None
