"""What became of each training, as its log tells, and tables of those that have a result."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from iic.provenance.partial import make
from iic.publish.partial import discard

from iic.params.errors import SettingsError
from iic.params.runs import Plan, plan
from iic.provenance import fingerprint
from iic.provenance.status import status
from iic.provenance.unfinished import Standing, end_of, standings
from iic.records import paths
from iic.records.files import read_record
from iic.records.paths import RunPaths, partial_table
from iic.records.receipt import Receipt
from iic.records.sources import Sources
from iic.records.table import read_table
from tests.conftest import SCALE
from tests.workflow.workflow_helpers import edit

STAMP = "2026-11-28 18:21:57,385 "
TRACEBACK = """the job failed
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: no such thing
"""


def logged(root: Path, log: Path, text: str) -> None:
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    (root / log).write_text(text)


def stand(root: Path, run: str, seed: int = 0) -> Standing:
    whole = plan(SCALE)
    return standings(whole, status(whole, root), root)[run, seed]


@pytest.mark.parametrize(
    ("text", "failed", "says"),
    [
        (f"{STAMP}epoch 0/2\n{STAMP}error: no room\n  remedy: make some\n", True, "no room"),
        (f"{STAMP}{TRACEBACK}", True, "ValueError: no such thing"),
        (f"{STAMP}error: no room\n{STAMP}epoch 1/2\n", False, "epoch 1/2"),
        ("Killed\n", False, "Killed"),
        ("", False, ""),
        (f"{STAMP}error: a\x1b[31mb\x00c\n", True, "a [31mb c"),
        (f"{STAMP}error: {'x' * 1000}\n", True, "x" * 237 + "..."),
        ("y" * 200_000 + f"\n{STAMP}error: late\n", True, "late"),
    ],
    ids=["error", "traceback", "went on", "no record", "empty", "control", "long", "large"],
)
def test_a_log_says_how_its_job_ended(tmp_path: Path, text: str, failed: bool, says: str) -> None:
    logged(tmp_path, Path("a.log"), text)
    end = end_of(Path("a.log"), tmp_path)
    assert end is not None and (end.failed, end.text) == (failed, says)
    assert "a.log" in end.seen


def test_a_log_says_when_it_ended_so_that_an_earlier_one_is_not_taken_for_todays(
    tmp_path: Path,
) -> None:
    for text in ("Killed\n", ""):
        logged(tmp_path, Path("a.log"), text)
        os.utime(tmp_path / "a.log", (86400 * 365, 86400 * 365))
        end = end_of(Path("a.log"), tmp_path)
        # a day off at most, by the time zone
        assert end is not None and end.at[:7] in ("1970-12", "1971-01") and end.at in end.seen
    logged(tmp_path, Path("a.log"), f"{STAMP}epoch 0/2\n2026-11-29 07:05:00,001 epoch 1/2\n")
    end = end_of(Path("a.log"), tmp_path)
    assert end is not None
    assert end.seen == "its last line was 'epoch 1/2' (2026-11-29 07:05, see a.log)"


def test_a_log_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    assert end_of(Path("folder.log"), tmp_path) is None
    assert end_of(Path("absent.log"), tmp_path) is None


def test_what_was_not_reached_is_told_from_what_failed_and_what_was_killed(tmp_path: Path) -> None:
    assert stand(tmp_path, "digits/iic").note == "not reached: digits/iic seed 0"
    log = RunPaths(SCALE, "digits/iic", 0).log
    logged(tmp_path, log, f"{STAMP}epoch 1/2  loss 0.1\n")
    assert stand(tmp_path, "digits/iic").note == (
        f"stopped: digits/iic seed 0: its last line was 'epoch 1/2  loss 0.1' "
        f"(2026-11-28 18:21, see {log})"
    )
    logged(tmp_path, log, f"{STAMP}error: loss is NaN\n")
    assert stand(tmp_path, "digits/iic").note == (
        f"failed: digits/iic seed 0: loss is NaN (2026-11-28 18:21, see {log})"
    )
    base = stand(tmp_path, "stl10_standin/finetune")
    assert (base.state, base.reason) == (
        "not reached", "it starts from stl10_standin/iic_star-features seed 0, which has no result"
    )  # fmt: skip


def test_data_that_could_not_be_had_are_named(tmp_path: Path) -> None:
    log = paths.data_log("download", "digits")
    logged(tmp_path, log, f"{STAMP}error: digits: could not be had from any source:\n  a: b\n")
    found = stand(tmp_path, "digits/kmeans")
    assert found.state == "not reached"
    assert found.reason.startswith("download digits failed: digits: could not be had")
    assert str(log) in found.reason


@pytest.fixture
def whole(tree: Path) -> Plan:
    return plan(SCALE)


def test_of_finished_tables_there_is_no_partial_form(whole: Plan, tree: Path) -> None:
    assert make(whole) == []
    logged(tree, partial_table(SCALE, "table_1"), "left from before")
    assert make(whole, ["table_1"]) == []
    assert not partial_table(SCALE, "table_1").parent.exists()
    with pytest.raises(SettingsError, match="has no table 'tabel_1'"):
        make(whole, ["tabel_1"])


def test_all_other_cells_are_those_of_the_whole_table(whole: Plan, tree: Path) -> None:
    # one of two seeds of k-means fails, and all of IIC; evaluations of the dataset are gone
    for run, seed in (("digits/kmeans", 1), ("digits/iic", 0)):
        shutil.rmtree(RunPaths(SCALE, run, seed).folder)
    logged(tree, RunPaths(SCALE, "digits/kmeans", 1).log, f"{STAMP}error: no room\n")
    for path in Path(f"results/{SCALE}/runs/digits").rglob("evaluation*.json"):
        path.unlink()
    results = {path: path.read_bytes() for path in Path("results").rglob("*") if path.is_file()}
    made = {one.name: one for one in make(whole)}
    # tables without a gap are in no need, and those without a failure of no interest
    assert set(made) == {"table_1"}
    assert (made["table_1"].measured, made["table_1"].trainings) == (12, 14)
    assert all(path.read_bytes() == content for path, content in results.items())

    before = read_table(paths.table(SCALE, "table_1"))
    after = read_table(partial_table(SCALE, "table_1"))
    assert [one.row for one in after] == [one.row for one in before]
    for old, new in zip(before, after, strict=True):
        if (old.column, old.row, old.fidelity) == ("digits", "K-means", "as_published"):
            assert (old.n_seeds, new.n_seeds, new.status) == (2, 1, "measured")
        elif (old.column, old.fidelity) == ("digits", "as_published") and old.row[:5] == "IIC (":
            assert (old.status, new.status, new.ours_mean) == ("measured", "not_run", None)
        else:
            assert new == old
    text = partial_table(SCALE, "table_1").with_suffix(".md").read_text()
    assert "failed: digits/kmeans seed 1: no room" in text
    assert "not reached: digits/iic seed 0" in text
    found = read_record(paths.sources_of(partial_table(SCALE, "table_1")), Sources)
    sources = [source for cell in found.cells for source in cell.seeds]
    assert len({(one.run, one.seed) for one in sources}) == 12
    for source in sources:
        assert read_record(Path(source.receipt.path), Receipt).digest == source.receipt.digest
        assert source.file.path.endswith("assignments.parquet")


def test_assignments_that_are_not_what_was_written_are_not_scored(whole: Plan, tree: Path) -> None:
    place = RunPaths(SCALE, "digits/kmeans", 0)
    place.evaluation.unlink()
    paths.receipt_of(place.evaluation).unlink()
    place.assignments.write_bytes(place.assignments.read_bytes()[:-1])
    (one,) = make(whole)
    (lost,) = one.missing
    assert lost.note.startswith("failed: digits/kmeans seed 0: it cannot be scored: ")
    assert "assignments.parquet: is not what its receipt says" in lost.note


def test_what_was_made_by_other_settings_is_no_result(whole: Plan, tree: Path) -> None:
    edit(tree / f"params/scales/{SCALE}.yaml", "restarts: 1", "restarts: 2")
    fingerprint.forget()
    logged(tree, RunPaths(SCALE, "digits/iic", 0).log, f"{STAMP}error: no room\n")
    shutil.rmtree(RunPaths(SCALE, "digits/iic", 0).folder)
    (one,) = [one for one in make(plan(SCALE)) if one.name == "table_1"]
    states = {(gap.run, gap.seed): gap.state for gap in one.missing}
    assert states["digits/iic", 0] == "failed"
    assert states["digits/kmeans", 0] == states["digits/kmeans", 1] == "not reached"


def test_discarding_leaves_other_tables_and_what_is_not_ours(tmp_path: Path) -> None:
    for name in ("table_1.csv", "table_1.md", "table_10.md", "notes.txt"):
        logged(tmp_path, partial_table(SCALE, name).with_name(name), "x")
    discard(SCALE, "table_1", tmp_path)
    folder = tmp_path / partial_table(SCALE, "x").parent
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "table_10.md"]
