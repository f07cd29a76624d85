from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from iic.params.definitions import load_tables
from iic.params.errors import SettingsError
from iic.params.experiments import Table
from iic.publish.published import Published, load_published
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
    assert published.tolerances == {"stl10": Decimal("2.0"), "mnist": Decimal("1.0")}
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
        ("tolerances", "stl10", "stl_10", ["tolerances.csv", "'stl10'", "stl_10?"]),
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


def loaded(name: str) -> tuple[Table, Published]:
    """A table of the experiments files, and what the paper prints there."""
    table = load_tables(CLONE / "params")[name]
    return table, load_published(table, CLONE)


def sums_of(published: Published) -> dict[str, str]:
    """Sum of each column's numbers: it guards them against a slip in an edit."""
    sums: dict[str, Decimal] = {}
    for (_, column), number in published.numbers.items():
        sums[column] = sums.get(column, Decimal(0)) + number.value
    return {name: str(value) for name, value in sums.items()}


# sums computed from the tables of docs/spec/printed.md#printed-numbers, not from our csv files
SUMS = {
    "table_1": {"STL10": "566.9", "CIFAR10": "559.7", "CFR100-20": "276.87", "MNIST": "1341.9"},
    "table_2": {"STL10": "257.9"},
    "table_3": {"STL10": "848.6"},
    "supp_table_3": {
        "STL10": "239.0", "CIFAR10": "241.4", "CFR100-20": "123.5", "CIFAR100": "74.7",
        "MNIST": "393.8",
    },
    "supp_table_4": {
        "1.0": "518.7", "0.5": "510.6", "0.25": "501.9", "0.1": "478.7", "0.01": "347.43",
    },
    "further_ablations": {},
    "table_4": {
        "COCO-Stuff-3": "343.0", "COCO-Stuff": "148.7", "Potsdam-3": "342.4", "Potsdam": "248.8",
    },
    "segmentation_ablations": {"COCO-Stuff-3": "141.3", "Potsdam-3": "129.0"},
    "segmentation_miou": {},
    "segmentation_overclustering": {},
    "imc_swav_ablations": {},
    "imc_swav_reclustered": {},
}  # fmt: skip
# mean and best of the seeds, where there is a best, of docs/spec/imc_swav.md#published
IMC_SWAV = {
    "CIFAR10": "178.8", "CIFAR10 NMI": "162.9", "CIFAR10 ARI": "159.0",
    "CIFAR100-20": "100.9", "CIFAR100-20 NMI": "103.0", "CIFAR100-20 ARI": "69.8",
    "CIFAR100": "45.1", "CIFAR100 NMI": "60.8", "CIFAR100 ARI": "30.7",
    "STL10": "168.4", "STL10 NMI": "147.6", "STL10 ARI": "140.1",
    "Tiny ImageNet": "56.1", "Tiny ImageNet NMI": "101.1", "Tiny ImageNet ARI": "28.9",
}  # fmt: skip
PRINTED = {
    "table_1": 17, "table_2": 5, "table_3": 11, "table_4": 7, "supp_table_3": 4, "supp_table_4": 9,
    "segmentation_ablations": 2,
}  # fmt: skip
"""Rows that the paper has."""


@pytest.mark.parametrize("name", SUMS)
def test_numbers_are_complete_and_fit_their_experiments(name: str) -> None:
    table, published = loaded(name)
    assert sums_of(published) == SUMS[name]
    assert len(published.numbers) == PRINTED.get(name, 0) * len(table.columns)
    # what the paper prints comes in its order, before rows that it has not
    printed = list(dict.fromkeys(row for row, _ in published.numbers))
    names = [row.row for row in table.rows if row.row in printed]
    assert list(dict.fromkeys(names)) == printed
    assert set(published.tolerances) == set(table.datasets)


def test_every_table_has_a_check() -> None:
    assert set(load_tables(CLONE / "params")) == {*SUMS, "imc_swav"}


def test_numbers_of_imc_swav_are_those_of_its_readme() -> None:
    _, published = loaded("imc_swav")
    assert sums_of(published) == IMC_SWAV
    assert len(published.numbers) == 2 * 15 - 3  # no best of CIFAR100


def test_lambda_is_the_ablation_of_table_4() -> None:
    """The entropy coefficient's gain in points, from rounded numbers; the supplement says 3.2."""
    _, table_4 = loaded("table_4")
    _, ablation = loaded("segmentation_ablations")
    for column, gain in {"COCO-Stuff-3": "3.3", "Potsdam-3": "1.2"}.items():
        full, without = (
            ablation.number(row, column)
            for row in ("Full setting", "Entropy coefficient 1 (lambda)")
        )
        iic = table_4.number("IIC", column)
        assert full is not None and without is not None and iic is not None
        assert full.value == iic.value
        assert full.value - without.value == Decimal(gain)


def test_the_paper_prints_accuracies_alone(tmp_path: Path) -> None:
    write_published(tmp_path)
    other = TABLE.model_copy(update={"metric": "miou"})
    message = r"table_1.csv: line 2, value: K-means x STL10 has a published number, but .*'miou'"
    with pytest.raises(SettingsError, match=message):
        load_published(other, tmp_path)


def test_marks_and_tolerances() -> None:
    _, published = loaded("table_1")
    assert published.tolerances["mnist"] == 1
    assert published.tolerances["cifar10"] == 2
    starred = {cell for cell, number in published.numbers.items() if "*" in number.mark}
    deep = {("DeepCluster", column) for column in ("STL10", "CIFAR10", "CFR100-20", "MNIST")}
    assert starred == deep | {("ADC", "CFR100-20")}
    assert published.row_marks("DeepCluster") == "†‡"

    _, published = loaded("table_4")
    assert set(published.tolerances.values()) == {Decimal("3.0")}
    assert published.row_marks("DeepCluster 2018") == "†‡"
    assert [row for row in ("K-means", "SIFT", "IIC") if published.row_marks(row)] == [
        "K-means",
        "SIFT",
    ]

    _, published = loaded("table_3")
    marked = {row for (row, _), number in published.numbers.items() if "†" in number.mark}
    assert marked == {"Dosovitskiy †", "SWWAE †", "Oyallon (sup) †", "IIC plus finetune †"}
    # it is part of these rows' names, and not printed twice
    assert not any(published.row_marks(row) for row in marked)
    starred = {row for (row, _), number in published.numbers.items() if "*" in number.mark}
    assert starred == {"DeepCluster", "ADC"}
