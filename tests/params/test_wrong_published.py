"""Whatever is wrong in the printed numbers: one clear message that names file and line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from iic.params.definitions import load_tables
from iic.params.errors import SettingsError
from iic.params.experiments import Table
from iic.publish.published import Published, check_published, load_published
from tests.params.params_helpers import PARAMS, copy_of

TABLES = [path.stem for path in (PARAMS / "experiments").glob("*.yaml")]
PRINTED = [name for name in TABLES if (PARAMS / "published" / f"{name}.csv").exists()]
FILES = sorted(f"{name}.csv" for name in (*PRINTED, "marks", "tolerances"))
ODD = [
    "",
    " ",
    "nope",
    "-1",
    "101",
    "1e400",
    "nan",
    "1,5",
    "†",
    "††",
    "x\ny",
    '"',
    "STL10",
    "\u2028",
]


def table_of(folder: Path, file: str) -> Table:
    """A table for which the file is read: its own, or table 1 for what all tables share."""
    tables = load_tables(folder / "params")
    return tables.get(Path(file).stem, tables["table_1"])


def load(folder: Path, file: str) -> Published:
    return load_published(table_of(folder, file), folder)


def written(fields: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(fields)
    return text.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_of(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "line 1: columns a, b\n  allowed: "),
        (b"\xff\xfe", "cannot be read"),
        (b"\0", "no valid csv|line 1"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(
    folder: Path, file: str, text: bytes | None, says: str
) -> None:
    path = folder / "params/published" / file
    path.unlink()
    if text is None and Path(file).stem in PRINTED:
        assert not load(folder, file).numbers
        return
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(SettingsError, match=says) as caught:
        load(folder, file)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("file", FILES)
def test_any_value_anywhere_is_taken_or_refused_clearly(folder: Path, file: str) -> None:
    path = folder / "params/published" / file
    table = table_of(folder, file)
    lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    refused = tried = 0
    for number, line in enumerate(lines):
        for place in range(len(line)):
            odd = ODD[tried % len(ODD)]
            new = [*line[:place], odd, *line[place + 1 :]]
            path.write_text(written([*lines[:number], new, *lines[number + 1 :]]), encoding="utf-8")
            try:
                load_published(table, folder)
            except SettingsError as error:
                assert str(error).startswith(str(folder)) and str(error).count("\n") <= 2
                refused += 1
            tried += 1
    assert refused


@pytest.mark.parametrize("file", FILES)
def test_a_line_with_a_field_too_few_or_too_many(folder: Path, file: str) -> None:
    path = folder / "params/published" / file
    lines = path.read_text(encoding="utf-8").splitlines()
    for last in (lines[-1] + ",x", lines[-1].rsplit(",", 1)[0]):
        path.write_text("\n".join([*lines[:-1], last]) + "\n", encoding="utf-8")
        with pytest.raises(SettingsError, match=rf"line {len(lines)}: (\d fields|columns)"):
            load(folder, file)


def test_every_table_of_experiments_fits_its_numbers(folder: Path) -> None:
    for name in load_tables(folder / "params"):
        load(folder, f"{name}.csv")


def test_a_file_of_no_table_is_refused_when_planned(folder: Path) -> None:
    tables = load_tables(folder / "params")
    check_published(tables, tables, folder)
    (folder / "params/published/table_1.csv").rename(folder / "params/published/tabel_1.csv")
    with pytest.raises(SettingsError, match=r"'tabel_1' is no table(.|\n)*did you mean: table_1"):
        check_published(tables, tables, folder)


def test_a_dataset_without_a_tolerance_has_the_default(folder: Path) -> None:
    path = folder / "params/published/tolerances.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("mnist,1.0,clustering of MNIST\n", ""), encoding="utf-8")
    assert str(load(folder, "table_1.csv").tolerances["mnist"]) == "2.0"
    path.write_text(path.read_text(encoding="utf-8").replace("default,", "x,"), encoding="utf-8")
    with pytest.raises(SettingsError, match="no tolerance for dataset 'mnist'"):
        load(folder, "table_1.csv")
