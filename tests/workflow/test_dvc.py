"""DVC around the workflow: a generated dvc.yaml, and one state whichever of the two was called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from iic.params.datasets import load_catalogue
from iic.params.runs import plan, scale_names
from tests.workflow.workflow_helpers import Finished, dvc, git, iic, write_scale

CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def stages(clean: Path) -> dict[str, Any]:
    return yaml.safe_load((clean / "dvc.yaml").read_text())["stages"]


def test_stages_are_few_and_named_by_contract(clean: Path) -> None:
    listed = dvc(clean, "stage", "list", "--name-only").said.split()
    wanted = {f"data@{dataset}" for dataset in load_catalogue()}
    for scale in scale_names():
        wanted |= {f"{kind}@{scale}" for kind in ("runs", "tables", "figures", "audit")}
    assert set(listed) == wanted


def test_outs_persist_and_only_large_ones_are_cached(stages: dict[str, Any]) -> None:
    cached = set()
    for name, stage in stages.items():
        for kind in ("outs", "metrics"):
            for out in stage["do"].get(kind, []):
                ((path, flags),) = out.items()
                assert flags["persist"], f"{name}: DVC would delete {path} before the stage"
                if flags.get("cache", True):
                    cached.add(path)
    assert cached == {"data/raw/${item}", "data/prepared/${item}", "results/${key}/artifacts"}


def test_commands_name_neither_cores_nor_profile(stages: dict[str, Any]) -> None:
    """dvc.lock is the same on a laptop and on a cluster."""
    for name, stage in stages.items():
        command = stage["do"]["cmd"]
        assert re.fullmatch(r"python -m iic run( --scale \$\{\w+\})? [\w/${}.]+", command), name
        assert {"Snakefile", "iic", "params", "workflow"} <= {*stage["do"]["deps"]}


def test_dvc_is_configured_against_its_traps(clean: Path) -> None:
    config = dvc(clean, "config", "--list").said
    for setting in ("core.analytics=false", "core.autostage=false", "cache.type=reflink,copy"):
        assert setting in config.lower()


def test_sync_check_fails_on_a_stale_file_and_sync_mends_it(clone: Path) -> None:
    iic(clone, "dvc", "sync", "--check")
    write_scale(clone, "tiny", "digits/kmeans")
    before = (clone / "dvc.yaml").read_bytes()
    stale = iic(clone, "dvc", "sync", "--check", expect=1).said
    assert "dvc.yaml" in stale and "iic dvc sync" in stale and "Traceback" not in stale
    assert (clone / "dvc.yaml").read_bytes() == before
    iic(clone, "dvc", "sync")
    iic(clone, "dvc", "sync", "--check")
    assert "tiny" in (clone / "dvc.yaml").read_text()


def test_repro_makes_the_tables_of_a_clean_clone_and_leaves_status_clean(smoke: Finished) -> None:
    ran = re.findall(r"Running stage '(.+?)'", smoke.by_dvc.said)
    data = [f"data@{name}" for name in sorted(plan("smoke").datasets)]
    assert sorted(ran) == sorted([*data, "runs@smoke", "tables@smoke"])
    assert ran[-2:] == ["runs@smoke", "tables@smoke"]
    assert (smoke.path / "results/smoke/tables/table_1.csv").exists()
    # the direct run after it made only what was left
    assert "Training" not in smoke.by_snakemake.said and "Drawing" in smoke.by_snakemake.said
    assert CLEAN in dvc(smoke.path, "status", "--with-deps", "tables@smoke").said
    # and nothing of all that wants to be in git but the lock, whose smoke entries never are
    assert git(smoke.path, "status", "--porcelain").split() == ["??", "dvc.lock"]


def test_a_direct_run_then_dvc_commit_leaves_both_in_step(tiny: Finished) -> None:
    assert "Training kmeans" in tiny.by_snakemake.said
    assert CLEAN in dvc(tiny.path, "status", "--with-deps", "tables@tiny").said
    again = dvc(tiny.path, "repro", "tables@tiny").said
    assert again.count("didn't change, skipping") == 3 and "Running stage" not in again
