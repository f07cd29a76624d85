"""Columns of several metrics in one table, and rows of the best seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from iic.params.errors import SettingsError
from iic.params.experiments import Column, Row, Table
from iic.publish.tables import build
from iic.records.evaluation import Evaluation
from iic.records.files import read_record, write_record
from iic.records.paths import RunPaths
from tests.publish.publish_helpers import make_plan, write_evaluation, write_published
from tests.publish.test_tables import lines_of, only_line

TABLE = Table(
    name="scores",
    title="Scores",
    caption="In percent.",
    columns=(
        Column(paper="MNIST", dataset="mnist"),
        Column(paper="MNIST NMI", dataset="mnist", metric="nmi"),
        Column(paper="MNIST ARI", dataset="mnist", metric="ari"),
    ),
    rows=(
        Row(row="K-means", run="kmeans", method="iic.methods.kmeans"),
        Row(row="K-means, best", run="kmeans", over_seeds="best"),
    ),
)
NUMBERS = """row,column,value,std,mark,source
K-means,MNIST,61,0.5,,Table 9
K-means,MNIST NMI,40.0,,,Table 9
"K-means, best",MNIST ARI,90.5,,,Table 9
"""


def write_scores(root: Path, seed: int, acc: float, nmi: float, ari: float) -> None:
    write_evaluation(root, "mnist/kmeans", seed, [acc], [acc])
    paths = RunPaths("tiny", "mnist/kmeans", seed)
    evaluation = read_record(root / paths.evaluation, Evaluation)
    for selection in evaluation.selections.values():
        if selection is not None:
            object.__setattr__(selection, "nmi", nmi)
            object.__setattr__(selection, "ari", ari)
    write_record(root / paths.evaluation, evaluation)


def test_each_column_has_its_metric_and_best_rows_the_best_seed(tmp_path: Path) -> None:
    write_published(tmp_path, numbers=NUMBERS, marks="table,mark,place,meaning\n", table="scores")
    for seed, scores in enumerate([(60.0, 40.0, -1.0), (62.0, 35.0, 7.0), (61.0, 42.0, 3.0)]):
        write_scores(tmp_path, seed, *scores)
    plan = make_plan(runs={"mnist/kmeans": (0, 1, 2)}, table=TABLE)
    built = build(plan, "scores", tmp_path)
    lines = lines_of(built.csv)
    found = {
        (line["row"], line["paper_column"]): (
            line["metric"], line["published"], line["ours_mean"], line["ours_std"], line["verdict"]
        )
        for line in lines
    }  # fmt: skip
    assert found == {
        ("K-means", "MNIST"): ("acc", "61", "61.00", "1.00", "reproduced"),
        ("K-means", "MNIST NMI"): ("nmi", "40.0", "39.00", "3.61", "reproduced"),
        ("K-means", "MNIST ARI"): ("ari", "", "3.00", "4.00", ""),
        ("K-means, best", "MNIST"): ("acc", "", "62.00", "", ""),
        ("K-means, best", "MNIST NMI"): ("nmi", "", "42.00", "", ""),
        ("K-means, best", "MNIST ARI"): ("ari", "90.5", "7.00", "", ""),
    }
    assert only_line(lines, row="K-means, best", paper_column="MNIST ARI")["n_seeds"] == "3"
    text = built.md.decode()
    assert "the best of the seeds, by this score alone" in text and "MNIST ARI" in text


def test_columns_that_say_the_same_or_what_there_is_not() -> None:
    twice = Column(paper="again", dataset="mnist", metric="acc")
    with pytest.raises(ValidationError, match="'mnist acc' stands twice"):
        Table.model_validate(TABLE.model_dump() | {"columns": (*TABLE.columns, twice)})
    with pytest.raises(ValidationError, match="a share of the labels has accuracies alone"):
        Column(paper="10 %", fraction=0.1, metric="nmi")


def test_a_published_number_of_mean_iou_is_refused(tmp_path: Path) -> None:
    write_published(tmp_path, numbers=NUMBERS, marks="table,mark,place,meaning\n", table="scores")
    columns = (*TABLE.columns[:2], Column(paper="MNIST ARI", dataset="mnist", metric="miou"))
    table = TABLE.model_copy(update={"columns": columns})
    plan = make_plan(runs={"mnist/kmeans": (0,)}, table=table)
    with pytest.raises(SettingsError, match=r"accuracies alone and .* metric 'miou'"):
        build(plan, "scores", tmp_path)
