"""The paper's tables as the experiments files define them, at the measured scales."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.publish.tables import build
from iic.records.paths import RunPaths
from tests.publish.publish_helpers import write_evaluation
from tests.publish.test_tables import lines_of, only_line

CLONE = Path(__file__).parents[2]
SCALES = ("laptop", "gpu", "paper")
CASES = [(scale, name) for scale in SCALES for name in load_plan(scale, CLONE / "params").tables]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clone without results."""
    (tmp_path / "params").symlink_to(CLONE / "params")
    return tmp_path


@pytest.mark.parametrize(("scale", "name"), CASES)
def test_nothing_measured_is_shown_as_such(root: Path, scale: str, name: str) -> None:
    whole = load_plan(scale, CLONE / "params")
    built = build(whole, name, root)
    lines = lines_of(built.csv)
    assert lines
    assert {line["status"] for line in lines} <= {"not_run", "published_only"}
    assert all(line["ours_mean"] == line["verdict"] == "" for line in lines)
    keys = [
        (line["row"], line["paper_column"], line["selection"], line["fidelity"]) for line in lines
    ]
    assert len(set(keys)) == len(keys)
    text = built.md.decode()
    notes = re.findall(r"^- <sup>(\w+)</sup> ", text, flags=re.MULTILINE)
    assert len(notes) <= 8, "as many footnotes as a reader can follow"
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_footnotes_stay_few_where_everything_was_run(root: Path) -> None:
    whole = load_plan("gpu", CLONE / "params")
    for run in whole.runs.values():
        shares = {fraction: (40.0, 1.0) for fraction in run.settings.evaluation.label_fractions}
        segmented = whole.datasets[run.dataset].maps is not None
        write_at(root, run.id, shares, [40.0] if segmented else None)
    for name in whole.tables:
        built = build(whole, name, root)
        text = built.md.decode()
        notes = re.findall(r"^- <sup>(\w+)</sup> (.*)$", text, flags=re.MULTILINE)
        assert len(notes) <= 12, notes
        assert "measured" in built.csv.decode()
        assert "no result of seed" not in text


def write_at(
    root: Path, run: str, shares: dict[float, tuple[float, float]], miou: list[float] | None
) -> None:
    """Evaluations of three seeds at scale gpu, through the helper's scale."""
    for seed in range(3):
        write_evaluation(root, run, seed, [60.0], [61.0], fractions=dict(shares), miou=miou)
        source, target = (root / RunPaths(scale, run, seed).folder for scale in ("tiny", "gpu"))
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def test_the_alternative_stl10_run_has_no_published_number(root: Path) -> None:
    lines = lines_of(build(load_plan("paper", CLONE / "params"), "table_1", root).csv)
    row = "IIC, model 570 (lowest loss sub-head)"
    cell = only_line(lines, row=row, paper_column="STL10", selection="as_published")
    assert (cell["published"], cell["status"]) == ("", "not_run")
    assert (
        only_line(lines, row=row, paper_column="MNIST", selection="as_published")["published"] == ""
    )


def test_table_3_has_both_fidelities_of_the_last_row(root: Path) -> None:
    lines = lines_of(build(load_plan("paper", CLONE / "params"), "table_3", root).csv)
    cells = [line for line in lines if line["row"] == "IIC plus finetune"]
    assert [(cell["fidelity"], cell["selection"]) for cell in cells] == [
        (fidelity, selection)
        for fidelity in ("as_published", "corrected")
        for selection in ("as_published", "label_free")
    ]
    assert {cell["published"] for cell in cells} == {"88.8"}
    quoted = only_line(lines, row="Oyallon (sup) †", selection="as_published")
    assert (quoted["status"], quoted["published"]) == ("not_run", "76.0")
    assert quoted["published_mark"] == "†"
