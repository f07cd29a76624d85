from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from iic.params.errors import SettingsError
from iic.params.runs import plan, scale_names
from iic.publish.published import load_published
from tests.publish.publish_helpers import MARKS, PUBLISHED, TABLE, TOLERANCES, write_published

CLONE = Path(__file__).parents[2]


def test_numbers_keep_the_decimals_of_print(tmp_path: Path) -> None:
    write_published(tmp_path)
    published = load_published(TABLE, tmp_path)
    number = published.number("IIC avg", "MNIST")
    assert number is not None
    assert (str(number.value), str(number.std)) == ("98.4", "0.652")
    assert published.row_marks("K-means") == "†"
    jule = published.number("JULE", "MNIST")
    assert jule is not None and published.number_marks(jule) == "*"
    assert published.tolerances == {"STL10": Decimal("2.0"), "MNIST": Decimal("1.0")}
    assert published.number("JULE", "STL10") is None


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("numbers", "JULE,MNIST", "JUEL,MNIST", ["table_1.csv: line 4, row", "'JUEL'", "JULE?"]),
        ("numbers", "IIC,STL10", "IIC,STL-10", ["line 5, column", "'STL-10'", "STL10?"]),
        ("numbers", "96.4", "96,4", ["line 4", "7 fields"]),
        ("numbers", "96.4", "964", ["line 4, value", "'964'", "0 to 100"]),
        ("numbers", "96.4", "nan", ["line 4, value", "'nan'"]),
        ("numbers", "0.652", "x", ["line 7, std", "'x'"]),
        ("numbers", ",*,", ",#,", ["line 4, mark", "'#'", "†, *"]),
        ("numbers", ",*,Table 1", ",*,", ["line 4, source"]),
        ("numbers", "IIC,STL10", "IIC,MNIST", ["line 6", "IIC x MNIST is given twice"]),
        ("numbers", "row,column,value", "row,column,number", ["line 1", "row, column, value"]),
        ("marks", "†,row", "†,line", ["marks.csv: line 2, place", "'line'", "row, number"]),
        ("marks", ",*,", ",**,", ["marks.csv: line 3, mark", "'**'"]),
        ("tolerances", "STL10", "STL-10", ["tolerances.csv", "'STL10'", "STL-10?"]),
        ("tolerances", "2.0", "-2", ["tolerances.csv: line 3, tolerance", "'-2'"]),
    ],
)
def test_a_mistake_is_named_by_file_and_line(
    tmp_path: Path, file: str, old: str, new: str, expected: list[str]
) -> None:
    texts = {"numbers": PUBLISHED, "marks": MARKS, "tolerances": TOLERANCES}
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    write_published(tmp_path, **texts)
    with pytest.raises(SettingsError) as caught:
        load_published(TABLE, tmp_path)
    for part in expected:
        assert part in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_published(tmp_path)
    (tmp_path / "params/published/marks.csv").unlink()
    with pytest.raises(SettingsError, match=r"marks\.csv: no such file"):
        load_published(TABLE, tmp_path)


def test_table_1_is_complete_and_fits_its_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CLONE)
    for scale in scale_names():
        if "table_1" not in plan(scale).tables:
            continue
        table = plan(scale).tables["table_1"]
        published = load_published(table)
        # every cell of the paper's Table 1 has a number: 17 rows by 4 columns
        assert len(published.numbers) == 17 * 4
        rows = {row.row for row in table.rows}
        assert rows == {row for row, _ in published.numbers}
    # column sums computed from the fact sheet's table (spec/iic.md, section 6), not from our csv:
    # they guard the 68 numbers against a slip in an edit
    sums = dict.fromkeys(["STL10", "CIFAR10", "CFR100-20", "MNIST"], Decimal(0))
    for (_, column), number in published.numbers.items():
        sums[column] += number.value
    assert {name: str(value) for name, value in sums.items()} == {
        "STL10": "566.9",
        "CIFAR10": "559.7",
        "CFR100-20": "276.87",
        "MNIST": "1341.9",
    }
    assert published.tolerances["MNIST"] == 1
    assert published.tolerances["CIFAR10"] == 2
    starred = {cell for cell, number in published.numbers.items() if "*" in number.mark}
    deep = {("DeepCluster", column) for column in sums}
    assert starred == deep | {("ADC", "CFR100-20")}
    assert published.row_marks("DeepCluster") == "†‡"
