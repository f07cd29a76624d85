from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iic.params.errors import SettingsError
from iic.publish.tables import build, write
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.paths import RunPaths, receipt_of
from iic.records.receipt import Receipt
from iic.records.sources import Sources
from iic.records.table import read_table
from tests.publish.publish_helpers import (
    PUBLISHED,
    TABLE,
    make_plan,
    write_evaluation,
    write_published,
)

CONTRACT = (
    "table,row,column,paper_column,metric,published,published_std,published_mark,ours_mean,"
    "ours_std,ours_std_heads,n_seeds,selection,fidelity,data,status,verdict"
)
OURS = ("ours_mean", "ours_std", "ours_std_heads", "n_seeds", "verdict")


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def only_line(lines: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (found,) = [line for line in lines if all(line[key] == text for key, text in wanted.items())]
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_published(tmp_path)
    for seed, acc in enumerate((53.0, 54.5, 57.0)):
        write_evaluation(tmp_path, "mnist/kmeans", seed, [acc], [acc])
    # sub-head 1 has the lower loss, sub-head 0 the better accuracy
    for seed, shift in enumerate((0.0, 0.5, 1.0)):
        last, best = [98.0 - shift, 96.0 - shift], [99.0 - shift, 98.0 - shift]
        write_evaluation(tmp_path, "mnist/iic", seed, last, best, losses=[-2.0, -2.1])
    return tmp_path


def test_the_csv_has_the_columns_of_the_contract(root: Path) -> None:
    content = build(make_plan(), "table_1", root).csv
    assert content.decode().splitlines()[0] == CONTRACT
    assert content.endswith(b"\n") and b"\r" not in content


def test_every_row_is_there_for_every_column(root: Path) -> None:
    lines = lines_of(build(make_plan(), "table_1", root).csv)
    for column in TABLE.columns:
        here = [line["row"] for line in lines if line["paper_column"] == column.paper]
        assert list(dict.fromkeys(here)) == ["K-means", "JULE", "IIC", "IIC avg"]
    # columns in the paper's order inside each row
    assert [line["column"] for line in lines[:2]] == ["stl10", "mnist"]


def test_a_measured_cell(root: Path) -> None:
    lines = lines_of(build(make_plan(), "table_1", root).csv)
    cell = only_line(lines, row="K-means", column="mnist")
    assert cell == {
        "table": "table_1",
        "row": "K-means",
        "column": "mnist",
        "paper_column": "MNIST",
        "metric": "acc",
        "published": "57.2",
        "published_std": "",
        "published_mark": "†",
        "ours_mean": "54.83",
        "ours_std": "2.02",
        "ours_std_heads": "",
        "n_seeds": "3",
        "selection": "label_free",
        "fidelity": "as_published",
        "data": "real",
        "status": "measured",
        "verdict": "below",
    }


def test_selections_differ_as_their_rules_say(root: Path) -> None:
    lines = lines_of(build(make_plan(), "table_1", root).csv)
    published = only_line(lines, row="IIC", column="mnist", selection="as_published")
    assert (published["ours_mean"], published["ours_std"]) == ("97.50", "0.50")
    mean = only_line(lines, row="IIC avg", column="mnist", selection="as_published_mean")
    assert (mean["ours_mean"], mean["ours_std_heads"]) == ("98.00", "0.50")
    assert (mean["published"], mean["published_std"]) == ("98.4", "0.652")
    assert mean["verdict"] == "reproduced"
    last = only_line(lines, row="IIC avg", column="mnist", selection="mean_head")
    assert (last["ours_mean"], last["ours_std_heads"]) == ("96.50", "1.00")


def test_an_uncovered_column_has_its_published_number_alone(root: Path) -> None:
    lines = lines_of(build(make_plan(), "table_1", root).csv)
    cell = only_line(lines, row="K-means", column="stl10")
    assert (cell["status"], cell["published"]) == ("published_only", "19.2")
    assert all(cell[name] == "" for name in OURS)
    assert only_line(lines, row="JULE", column="stl10")["status"] == "not_run"


def test_a_run_without_result_is_not_run_and_says_so(root: Path) -> None:
    built = build(make_plan(), "table_1", root)
    cell = only_line(lines_of(built.csv), fidelity="corrected", column="mnist")
    assert (cell["status"], cell["published"]) == ("not_run", "99.2")
    assert all(cell[name] == "" for name in OURS)
    assert "no result of this run" in built.md.decode()


def test_a_run_left_out_at_the_scale_gives_the_scales_reason(root: Path) -> None:
    plan = make_plan(
        runs={"mnist/kmeans": (0, 1, 2), "mnist/iic": (0,)}, skip=("mnist/iic-corrected",)
    )
    built = build(plan, "table_1", root)
    assert (
        only_line(lines_of(built.csv), fidelity="corrected", column="mnist")["status"] == "not_run"
    )
    assert "too long here" in built.md.decode() and "too long here" in built.tex.decode()


def test_a_missing_seed_lowers_n_and_is_noted(root: Path) -> None:
    (root / RunPaths("tiny", "mnist/kmeans", 1).evaluation).unlink()
    built = build(make_plan(), "table_1", root)
    cell = only_line(lines_of(built.csv), row="K-means", column="mnist")
    assert (cell["n_seeds"], cell["ours_mean"], cell["ours_std"]) == ("2", "55.00", "2.83")
    assert cell["verdict"] == "inconclusive"
    assert "no result of seed 1" in built.md.decode()


def test_one_seed_has_no_std(root: Path) -> None:
    plan = make_plan(runs={"mnist/kmeans": (0,)})
    cell = only_line(lines_of(build(plan, "table_1", root).csv), row="K-means", column="mnist")
    assert (cell["n_seeds"], cell["ours_std"], cell["verdict"]) == ("1", "", "inconclusive")


def test_a_selection_that_the_run_lacks_is_not_run(root: Path) -> None:
    write_evaluation(root, "mnist/iic", 0, [98.0, 96.0], best=None)
    plan = make_plan(runs={"mnist/iic": (0,)})
    lines = lines_of(build(plan, "table_1", root).csv)
    assert (
        only_line(lines, row="IIC", column="mnist", selection="as_published")["status"] == "not_run"
    )
    assert (
        only_line(lines, row="IIC avg", column="mnist", selection="mean_head")["ours_mean"]
        == "97.00"
    )


def test_other_data_than_the_papers_stands_beside_no_published_number(root: Path) -> None:
    for seed in range(3):
        write_evaluation(root, "digits/kmeans", seed, [79.0 + seed])
    plan = make_plan(real=False, datasets={"mnist": "digits"}, runs={"digits/kmeans": (0, 1, 2)})
    built = build(plan, "table_1", root)
    lines = lines_of(built.csv)
    assert {line["column"] for line in lines} == {"digits"}
    assert {line["paper_column"] for line in lines} == {"MNIST"}
    assert all(line[name] == "" for line in lines for name in ("published", "published_std"))
    assert all(line["published_mark"] == line["verdict"] == "" for line in lines)
    cell = only_line(lines, row="K-means")
    assert (cell["ours_mean"], cell["data"], cell["status"]) == ("80.00", "real", "measured")
    text = built.md.decode()
    table, caption = text.split("Ours: mean")
    assert "57.2" not in table and "57.2" in caption
    assert "another dataset than digits (Title of digits)" in caption
    assert "stand-in" not in text
    assert "57.2" not in built.tex.decode()


def test_stand_in_data_is_labelled_and_gets_no_verdict(root: Path) -> None:
    for seed in range(3):
        write_evaluation(root, "stl10_standin/kmeans", seed, [60.0])
    plan = make_plan(
        real=False,
        datasets={"stl10": "stl10_standin"},
        runs={"stl10_standin/kmeans": (0, 1, 2)},
    )
    built = build(plan, "table_1", root)
    cell = only_line(lines_of(built.csv), row="K-means")
    assert (cell["data"], cell["verdict"], cell["ours_mean"]) == ("stand-in", "", "60.00")
    text = built.md.decode()
    assert "(stand-in data)" in text.splitlines()[0]
    (heads,) = [line for line in text.splitlines() if line.startswith("| Method")]
    assert "stand-in data" in heads
    assert "(stand-in data)" in built.tex.decode()


def test_markdown_shows_both_numbers_verdict_notes_and_marks(root: Path) -> None:
    plan = make_plan(notes={"mnist/iic": "3 epochs in place of 463"})
    text = build(plan, "table_1", root).md.decode()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    (kmeans,) = [row for row in rows if row.startswith("| K-means †")]
    assert "57.2" in kmeans and "**54.83 ± 2.02** (n = 3) below" in kmeans
    assert "3 epochs in place of 463" in text
    assert "96.4\\*" in text
    assert "- †: based on k-means" in text
    assert "tolerances in points: MNIST 1.0" in text
    assert "(table_1.sources.json)" in text


def test_latex_has_one_cell_per_column_and_no_sign_left_bare(root: Path) -> None:
    text = build(make_plan(), "table_1", root).tex.decode()
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:-1]
    columns = text[text.index("{@{}") :].split("@{}")[1]
    assert all(line.count(" & ") == len(columns) - 1 for line in body)
    assert "±" not in text and "†" not in text
    assert text.count("{") == text.count("}")
    assert r"K-means \textdagger{}" in text and r"96.4$^{*}$" in text


def test_sources_name_every_evaluation_and_its_receipt(root: Path) -> None:
    plan = make_plan()
    write(plan, "table_1", root)
    sources = read_record(root / "results/tiny/tables/table_1.sources.json", Sources)
    table = read_table(root / "results/tiny/tables/table_1.csv")
    keys = [(cell.row, cell.column, cell.selection, cell.fidelity) for cell in sources.cells]
    assert keys == [(row.row, row.column, row.selection, row.fidelity) for row in table]
    for cell, row in zip(sources.cells, table, strict=True):
        assert len(cell.seeds) == (row.n_seeds or 0)
        assert (cell.published is None) == (row.published is None)
        for seed in cell.seeds:
            path = RunPaths("tiny", seed.run, seed.seed).evaluation
            assert Path(seed.file.path) == path
            assert seed.file.sha256 == sha256_file(root / path)
            receipt = read_record(root / receipt_of(path), Receipt)
            assert (seed.receipt.path, seed.receipt.digest) == (
                receipt_of(path).as_posix(),
                receipt.digest,
            )


def test_an_evaluation_without_receipt_is_refused(root: Path) -> None:
    path = receipt_of(RunPaths("tiny", "mnist/iic", 2).evaluation)
    (root / path).unlink()
    with pytest.raises(RecordError, match=r"seed2/evaluation\.run\.json: missing"):
        build(make_plan(), "table_1", root)


def test_the_same_row_twice_is_refused(root: Path) -> None:
    table = TABLE.model_copy(update={"rows": (*TABLE.rows, TABLE.rows[0])})
    with pytest.raises(SettingsError, match=r"rows\.5\.row: 'K-means' is given twice"):
        build(make_plan(table=table), "table_1", root)


def test_files_on_disk_are_what_a_fresh_process_builds(root: Path) -> None:
    write(make_plan(), "table_1", root)
    names = [f"table_1.{ending}" for ending in ("csv", "md", "tex", "sources.json")]
    folder = root / "results/tiny/tables"
    before = {name: (folder / name).read_bytes() for name in names}
    program = (
        "from pathlib import Path; from publish_helpers import make_plan;"
        "from iic.publish.tables import write; write(make_plan(), 'table_1', Path('.'))"
    )
    here = Path(__file__).parent
    environment = os.environ | {
        "PYTHONPATH": f"{here}:{here.parents[1]}",
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
    }
    subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, check=True)
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_read_table_names_line_and_column(root: Path) -> None:
    (path, *_) = write(make_plan(), "table_1", root)
    text = (root / path).read_text(encoding="utf-8")
    (root / path).write_text(text.replace("54.83", "54,83"), encoding="utf-8")
    with pytest.raises(RecordError, match=r"table_1\.csv: line 3: 18 fields"):
        read_table(root / path)
    (root / path).write_text(text.replace("54.83", "many"), encoding="utf-8")
    with pytest.raises(RecordError, match=r"line 3: ours_mean"):
        read_table(root / path)
    (root / path).write_text(text.replace("ours_mean", "mean"), encoding="utf-8")
    with pytest.raises(RecordError, match="line 1: the columns are not table,row"):
        read_table(root / path)


def test_publishing_needs_no_training_library(root: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from publish_helpers import make_plan;"
        "from iic.publish.tables import build; build(make_plan(), 'table_1', Path('.'));"
        "heavy = {'torch', 'pandas', 'matplotlib', 'sklearn', 'pyarrow'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}:{here.parents[1]}"}
    subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, check=True)


def test_published_numbers_are_read_below_root(root: Path) -> None:
    write_published(root, numbers=PUBLISHED.replace("57.2", "54.2"))
    cell = only_line(
        lines_of(build(make_plan(), "table_1", root).csv), row="K-means", column="mnist"
    )
    assert (cell["published"], cell["verdict"]) == ("54.2", "reproduced")
