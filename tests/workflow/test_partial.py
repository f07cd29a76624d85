"""After `--keep-going` a failed training leaves a table of what was measured, itself marked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from iic.params.resolve import merged
from iic.params.runs import load_plan
from iic.records.paths import RunPaths, partial_table, table
from iic.records.table import TableRow, read_table
from tests.workflow.workflow_helpers import (
    Done,
    Finished,
    contents,
    copy,
    iic,
    snakemake,
    write_scale,
)

SCALE = "partly"
BROKEN = RunPaths(SCALE, "digits/iic", 0)
IN_THE_WAY = BROKEN.scratch / "history.jsonl"
PARTIAL, WHOLE = partial_table(SCALE, "table_1"), table(SCALE, "table_1")
SHORT = {"schedule": {"epochs": 1, "max_steps": 2, "snapshot_steps": []}, "sub_heads": 2}
SAME = ("--keep-going", "tables")


def write_two_runs(clone: Path) -> None:
    """Add a scale of k-means and IIC on one dataset, which one job scores."""
    write_scale(clone, SCALE, "digits/iic", **SHORT)
    path = clone / f"params/scales/{SCALE}.yaml"
    scale = yaml.safe_load(path.read_text())
    scale["skip"].remove("digits/kmeans")
    scale["changes"]["digits/kmeans"] = merged(
        load_plan("smoke").run("digits/kmeans").settings_json, {}
    )
    path.write_text(yaml.safe_dump(scale))


@pytest.fixture(scope="module")
def failed(tiny: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A clone in which one of two trainings has failed. Do not change it."""
    clone = copy(tiny.path, tmp_path_factory.mktemp("partly") / "clone")
    write_two_runs(clone)
    (clone / IN_THE_WAY).mkdir(parents=True)
    return clone, snakemake(clone, *SAME, scale=SCALE, expect=1)


@pytest.fixture
def failed_copy(failed: tuple[Path, Done], tmp_path: Path) -> Path:
    return copy(failed[0], tmp_path / "clone")


def line(path: Path, row: str) -> TableRow:
    """The label-free line of a row, as published."""
    (line,) = [
        line
        for line in read_table(path)
        if (line.row, line.selection, line.fidelity) == (row, "label_free", "as_published")
    ]
    return line


def test_keep_going_leaves_a_table_of_what_was_measured(failed: tuple[Path, Done]) -> None:
    clone, done = failed
    assert f"{PARTIAL.with_suffix('.md')}: 1 of 2 trainings" in done.said
    assert "At least one job did not complete successfully." in done.said
    lost = line(clone / PARTIAL, "IIC (lowest loss sub-head)")
    assert (lost.status, lost.ours_mean, lost.n_seeds, lost.verdict) == ("not_run",) + (None,) * 3
    kept = line(clone / PARTIAL, "K-means")
    assert kept.status == "measured" and kept.ours_mean is not None

    text = (clone / PARTIAL).with_suffix(".md").read_text()
    assert text.splitlines()[0].endswith("(partial: 1 of 2 trainings)")
    (note,) = [line for line in text.splitlines() if "failed: digits/iic seed 0: " in line]
    assert (
        f"{IN_THE_WAY}: cannot be written: Is a directory" in note
        and f", see {BROKEN.log})" in note
    )
    letter = note.split("<sup>")[1].split("</sup>")[0]
    rows = [line for line in text.splitlines() if line.startswith("| IIC (lowest")]
    (row,) = [line for line in rows if "`label_free` | `as_published`" in line]
    assert row.endswith(f"| not run<sup>{letter}</sup> |")
    # cells that the scale leaves out on purpose look as they always do
    assert sum("not run<sup>" in line for line in text.splitlines()) == 4
    assert "(partial: 1 of 2 trainings)" in (clone / PARTIAL).with_suffix(".tex").read_text()
    assert not (clone / WHOLE).exists()


def test_a_partial_table_is_apart_from_the_results(failed_copy: Path) -> None:
    results = failed_copy / "results"
    before = contents(results)
    again = iic(failed_copy, "tabulate", "--allow-missing", "--name", "table_1", "--scale", SCALE)
    assert "1 of 2 trainings" in again.said
    assert contents(results) == before
    assert not any("/tables/" in name for name in before if SCALE in name)
    said = iic(failed_copy, "audit", "--scale", SCALE, expect=None).said
    assert f"note (not run) {PARTIAL.parent}" in said
    assert "orphan" not in said and "failure" not in said


@pytest.mark.long
def test_partial_tables_that_cannot_be_written_hide_nothing(failed_copy: Path) -> None:
    folder = failed_copy / PARTIAL.parent
    shutil.rmtree(folder)
    folder.write_text("in the way")
    done = snakemake(failed_copy, *SAME, scale=SCALE, expect=1)
    assert f"error: {PARTIAL}: cannot be written" in done.said and "Traceback" not in done.said
    assert "At least one job did not complete successfully." in done.said
    assert folder.read_text() == "in the way"


def test_once_the_cause_is_mended_the_same_command_completes_the_table(
    failed_copy: Path,
) -> None:
    before = line(failed_copy / PARTIAL, "K-means")
    (failed_copy / IN_THE_WAY).rmdir()
    snakemake(failed_copy, *SAME, scale=SCALE)
    assert line(failed_copy / WHOLE, "K-means") == before
    assert line(failed_copy / WHOLE, "IIC (lowest loss sub-head)").status == "measured"
    assert not (failed_copy / PARTIAL.parent).exists()
