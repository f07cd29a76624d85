"""``iic tabulate --allow-missing``: tables that do not wait for what failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.cli.tabulate import write_unfinished_tables
from iic.params.errors import SettingsError
from iic.params.runs import Plan, load_plan
from iic.provenance import fingerprint
from iic.records import paths
from iic.records.files import read_record
from iic.records.paths import RunPaths, partial_table
from iic.records.receipt import Receipt
from iic.records.sources import Sources
from iic.records.table import read_table
from tests.conftest import SCALE
from tests.workflow.workflow_helpers import edit

STAMP = "2026-11-28 18:21:57,385 "


def logged(root: Path, log: Path, text: str) -> None:
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    (root / log).write_text(text)


def markdown(name: str) -> str:
    return partial_table(SCALE, name).with_suffix(".md").read_text()


@pytest.fixture
def plan(tree: Path) -> Plan:
    return load_plan(SCALE)


def test_a_table_without_name_needs_to_be_told_so(tree: Path) -> None:
    done = CliRunner().invoke(app, ["tabulate", "--scale", SCALE])
    assert done.exit_code == 2 and "--allow-missing" in done.output


def test_finished_tables_are_left_alone(plan: Plan, tree: Path) -> None:
    assert write_unfinished_tables(plan) == []
    logged(tree, partial_table(SCALE, "table_1"), "left from before")
    assert write_unfinished_tables(plan, "table_1") == []
    assert not partial_table(SCALE, "table_1").parent.exists()
    done = CliRunner().invoke(
        app, ["tabulate", "--allow-missing", "--scale", SCALE, "--name", "tabel_1"]
    )
    assert isinstance(done.exception, SettingsError)
    assert "has no table 'tabel_1'" in str(done.exception)


def test_all_other_cells_are_those_of_the_finished_table(plan: Plan, tree: Path) -> None:
    # one of two seeds of k-means fails, and all of IIC; evaluations of the dataset are gone
    for run, seed in (("digits/kmeans", 1), ("digits/iic", 0)):
        shutil.rmtree(RunPaths(SCALE, run, seed).folder)
    logged(tree, RunPaths(SCALE, "digits/kmeans", 1).log, f"{STAMP}error: no room\n")
    for path in Path(f"results/{SCALE}/runs/digits").rglob("evaluation*.json"):
        path.unlink()
    results = {path: path.read_bytes() for path in Path("results").rglob("*") if path.is_file()}
    # tables without a gap are in no need, and those without a failure of no interest
    assert write_unfinished_tables(plan) == ["table_1"]
    assert all(path.read_bytes() == content for path, content in results.items())

    before = read_table(paths.table(SCALE, "table_1"))
    after = read_table(partial_table(SCALE, "table_1"))
    assert [line.row for line in after] == [line.row for line in before]
    for old, new in zip(before, after, strict=True):
        if (old.column, old.row, old.fidelity) == ("digits", "K-means", "as_published"):
            assert (old.n_seeds, new.n_seeds, new.status) == (2, 1, "measured")
        elif (old.column, old.fidelity) == ("digits", "as_published") and old.row[:5] == "IIC (":
            assert (old.status, new.status, new.ours_mean) == ("measured", "not_run", None)
        else:
            assert new == old
    text = markdown("table_1")
    assert text.splitlines()[0].endswith("(partial: 17 of 19 trainings)")
    assert "failed: digits/kmeans seed 1: no room" in text
    assert "not reached: digits/iic seed 0" in text


def test_its_numbers_have_evaluations_and_receipts_of_their_own(plan: Plan, tree: Path) -> None:
    shutil.rmtree(RunPaths(SCALE, "digits/iic", 0).folder)
    for path in Path(f"results/{SCALE}/runs/digits").rglob("evaluation*.json"):
        path.unlink()
    write_unfinished_tables(plan, "table_1")
    table = read_record(paths.sources_of(partial_table(SCALE, "table_1")), Sources)
    sources = [source for cell in table.cells for source in cell.seeds]
    assert len({(source.run, source.seed) for source in sources}) == 18
    for source in sources:
        assert read_record(Path(source.receipt.path), Receipt).digest == source.receipt.digest
        assert Path(source.file.path) == RunPaths(SCALE, source.run, source.seed).evaluation
    # a second time nothing is scored again
    evaluations = sorted(Path(f"results/{SCALE}/runs").rglob("evaluation.run.json"))
    before = [path.stat().st_mtime_ns for path in evaluations]
    write_unfinished_tables(plan, "table_1")
    assert [path.stat().st_mtime_ns for path in evaluations] == before


def test_it_has_no_receipt_and_does_not_stand_among_the_tables(plan: Plan, tree: Path) -> None:
    for path in paths.table_files(paths.table(SCALE, "table_1")):
        path.unlink()
    paths.receipt_of(paths.table(SCALE, "table_1")).unlink()
    assert write_unfinished_tables(plan, "table_1") == ["table_1"]
    folder = partial_table(SCALE, "table_1").parent
    files = paths.table_files(partial_table(SCALE, "table_1"))
    assert {path.name for path in folder.iterdir()} == {path.name for path in files}
    assert not paths.table(SCALE, "table_1").exists()
    # whole as it is, it says that it was written without waiting
    assert "(partial: 19 of 19 trainings)" in markdown("table_1")


def test_assignments_that_are_not_what_was_written_are_not_scored(plan: Plan, tree: Path) -> None:
    run = RunPaths(SCALE, "digits/kmeans", 0)
    run.evaluation.unlink()
    paths.receipt_of(run.evaluation).unlink()
    run.assignments.write_bytes(run.assignments.read_bytes()[:-1])
    assert write_unfinished_tables(plan) == ["table_1"]
    (note,) = [line for line in markdown("table_1").splitlines() if "cannot be scored" in line]
    assert "failed: digits/kmeans seed 0: it cannot be scored: " in note
    assert "assignments.parquet" in note
    assert not run.evaluation.exists()


def test_what_was_made_by_other_settings_is_no_result(plan: Plan, tree: Path) -> None:
    edit(tree / f"params/scales/{SCALE}.yaml", "restarts: 1", "restarts: 2")
    fingerprint.forget()
    logged(tree, RunPaths(SCALE, "digits/iic", 0).log, f"{STAMP}error: no room\n")
    shutil.rmtree(RunPaths(SCALE, "digits/iic", 0).folder)
    assert "table_1" in write_unfinished_tables(load_plan(SCALE))
    text = markdown("table_1")
    assert "failed: digits/iic seed 0: no room" in text
    for seed in (0, 1):
        assert f"not reached: digits/kmeans seed {seed}: what lies there is out of date" in text


def test_a_finished_table_takes_the_place_of_its_partial_form_alone(tree: Path) -> None:
    for name in ("table_1.csv", "table_1.md", "table_10.md", "notes.txt"):
        logged(tree, partial_table(SCALE, "x").with_name(name), "x")
    assert (
        CliRunner().invoke(app, ["tabulate", "--name", "table_1", "--scale", SCALE]).exit_code == 0
    )
    folder = partial_table(SCALE, "x").parent
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "table_10.md"]
