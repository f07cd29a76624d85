"""Who clones committed results and makes them again has nothing to commit."""

from __future__ import annotations

import json
from pathlib import Path

from tests.workflow.workflow_helpers import (
    NOTHING,
    Finished,
    copy,
    git,
    iic,
    snakemake,
)

EVALUATION = Path("results/tiny/runs/digits/kmeans/seed0/evaluation.run.json")


def fresh_clone(of: Finished, place: Path) -> Path:
    """What git has, and nothing else."""
    git(of.path, "clone", "--quiet", str(of.path), str(place))
    assert not (place / "data").exists()
    return place


def test_a_fresh_clone_stays_clean_when_its_results_are_made_again(
    tiny: Finished, tmp_path: Path
) -> None:
    clone = fresh_clone(tiny, tmp_path / "clone")
    snakemake(clone, "--forcerun=evaluate", "table_1", scale="tiny")
    for log, name in (
        ("evaluate/digits/kmeans/seed0", EVALUATION),
        ("tabulate/table_1", "results/tiny/tables/table_1.run.json"),
    ):
        text = (clone / f"logs/tiny/{log}.log").read_text()
        assert f"{name}: made again with the same bytes; the receipt of" in text
        check = json.loads((clone / "logs/checks" / name).read_text())
        assert check["code"]["commit"] == git(clone, "rev-parse", "HEAD").strip()
    assert git(clone, "status", "--porcelain") == ""
    snakemake(clone, "data", scale="tiny")
    snakemake(clone, "--forcerun=evaluate", "table_1", scale="tiny")
    assert git(clone, "status", "--porcelain") == "", "data made anew have the same bytes"
    assert iic(clone, "audit", "--scale", "tiny").status == 0
    assert git(clone, "status", "--porcelain") == "", "looking changes nothing"


def test_committed_numbers_of_real_data_are_made_again_without_a_change(clone: Path) -> None:
    said = snakemake(clone, "--forcerun=evaluate", "table_1", scale="laptop").said
    assert "results/laptop/tables/table_1.run.json: made again" in said
    assert git(clone, "status", "--porcelain") == ""


def test_a_verb_that_is_run_again_by_hand_breaks_no_chain(tiny: Finished, tmp_path: Path) -> None:
    clone = copy(tiny.path, tmp_path / "clone")
    git(clone, "rm", "-r", "--quiet", "--cached", "results")  # as at mini and smoke
    before = (clone / EVALUATION).read_bytes()
    iic(clone, "evaluate", "--scale", "tiny", "--dataset", "digits")
    assert (clone / EVALUATION).read_bytes() == before
    assert NOTHING in snakemake(clone, scale="tiny").said
    assert iic(clone, "audit", "--scale", "tiny").status == 0
