"""Tables of the mean intersection over union, of which the paper prints nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from iic.params.definitions import load_tables
from iic.params.experiments import Column, Row, Table
from iic.params.runs import Plan
from iic.publish.tables import build
from tests.publish.publish_helpers import make_plan, write_evaluation, write_published
from tests.publish.test_tables import lines_of, only_line

CLONE = Path(__file__).parents[2]
MIOU = Table(
    name="segmentation_miou",
    title="Mean IoU",
    caption="In percent.",
    metric="miou",
    columns=(
        Column(paper="COCO-Stuff-3", dataset="cocostuff3"),
        Column(paper="Potsdam-3", dataset="potsdam3"),
    ),
    rows=(
        Row(row="IIC", run="iic", method="iic.methods.iic.method", selections=("as_published",)),
        Row(row="IIC avg", run="iic", selections=("mean_head",)),
    ),
)
NOTHING = "row,column,value,std,mark,source\n"
NO_MARKS = "table,mark,place,meaning\n"
TOLERANCES = "dataset,tolerance,kind\ncocostuff3,3.0,segmentation\npotsdam3,3.0,segmentation\n"


def write_scores(root: Path, run: str, seed: int, heads: list[tuple[float, float]]) -> None:
    """An evaluation with these accuracies and mean IoUs, by sub-head."""
    accuracies, unions = ([*values] for values in zip(*heads, strict=True))
    write_evaluation(root, run, seed, accuracies, accuracies, miou=unions)


def plan(datasets: dict[str, str], runs: dict[str, tuple[int, ...]], **other: object) -> Plan:
    return make_plan(datasets=datasets, runs=runs, table=MIOU, **other)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_published(
        tmp_path, numbers=NOTHING, marks=NO_MARKS, tolerances=TOLERANCES, table=MIOU.name
    )
    for seed, shift in enumerate((0.0, 1.0, 2.0)):
        write_scores(tmp_path, "cocostuff3/iic", seed, [(72.0, 50.0 + shift), (70.0, 40.0)])
    return tmp_path


def test_a_cell_is_the_mean_iou_without_verdict(root: Path) -> None:
    built = build(
        plan({"cocostuff3": "cocostuff3"}, {"cocostuff3/iic": (0, 1, 2)}), MIOU.name, root
    )
    lines = lines_of(built.csv)
    cell = only_line(lines, row="IIC", column="cocostuff3")
    assert (cell["metric"], cell["ours_mean"], cell["ours_std"]) == ("miou", "51.00", "1.00")
    assert cell["published"] == cell["verdict"] == "" and cell["status"] == "measured"
    # over sub-heads of the same metric, not of the accuracy
    mean = only_line(lines, row="IIC avg", column="cocostuff3")
    assert (mean["ours_mean"], mean["ours_std_heads"]) == ("45.50", "5.50")


def test_no_column_of_published_numbers_and_none_without_ours(root: Path) -> None:
    built = build(
        plan({"cocostuff3": "cocostuff3"}, {"cocostuff3/iic": (0, 1, 2)}), MIOU.name, root
    )
    text = built.md.decode()
    (top,) = [line for line in text.splitlines() if line.startswith("| Method")]
    assert top == "| Method | Selection | COCO-Stuff-3, ours |"
    # the table's name has no number to put before the title
    assert text.startswith("# Mean IoU\n")
    assert "Nothing of this is published" in text and "Verdicts" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    tex = built.tex.decode()
    assert "multicolumn{1}{c}{COCO-Stuff-3}" in tex and "multicolumn{0}" not in tex
    body = tex[tex.index(r"\midrule") : tex.index(r"\bottomrule")].splitlines()[1:-1]
    assert all(line.count(" & ") == 2 for line in body)
    # both stand in the csv, as in every table
    assert len(lines_of(built.csv)) == 4


def test_a_single_sub_head_has_no_spread_over_sub_heads(root: Path) -> None:
    write_scores(root, "potsdam3/iic", 0, [(65.0, 44.0)])
    built = build(plan({"potsdam3": "potsdam3"}, {"potsdam3/iic": (0,)}), MIOU.name, root)
    for row in ("IIC", "IIC avg"):
        cell = only_line(lines_of(built.csv), row=row, column="potsdam3")
        assert (cell["ours_mean"], cell["ours_std_heads"], cell["n_seeds"]) == ("44.00", "", "1")


def test_a_run_without_it_is_not_run(root: Path) -> None:
    write_evaluation(root, "potsdam3/iic", 0, [65.0], [66.0])
    built = build(plan({"potsdam3": "potsdam3"}, {"potsdam3/iic": (0,)}), MIOU.name, root)
    assert only_line(lines_of(built.csv), row="IIC", column="potsdam3")["status"] == "not_run"


def test_stand_in_data_is_labelled(root: Path) -> None:
    write_scores(root, "potsdam3_standin/iic", 0, [(65.0, 44.0)])
    made = plan({"potsdam3": "potsdam3_standin"}, {"potsdam3_standin/iic": (0,)}, real=False)
    text = build(made, MIOU.name, root).md.decode()
    assert "(stand-in data)" in text.splitlines()[0]
    assert "potsdam3\\_standin, in place of Potsdam-3 (stand-in data), ours" in text


def test_segmentation_reports_no_mean_over_sub_heads() -> None:
    """IIC has a single sub-head there, so a mean over sub-heads would say the same once more."""
    for name in ("table_4", "segmentation_ablations", "segmentation_overclustering"):
        for row in load_tables(CLONE / "params")[name].rows:
            if row.row.startswith("IIC"):
                assert not {"as_published_mean", "mean_head"} & set(row.selections)
