"""DVC around the workflow: a generated dvc.yaml, and one state whichever of the two was called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from iic.params.datasets import load_catalogue
from iic.params.runs import load_plan, scale_names
from tests.workflow.workflow_helpers import (
    Finished,
    commit,
    dvc,
    edit,
    git,
    iic,
    snakemake,
    write_scale,
)

CLEAN = "Data and pipelines are up to date."


@pytest.fixture(scope="module")
def stages(clean: Path) -> dict[str, Any]:
    return yaml.safe_load((clean / "dvc.yaml").read_text())["stages"]


def test_stages_are_few_and_named_by_contract(clean: Path) -> None:
    listed = dvc(clean, "stage", "list", "--name-only").said.split()
    of_scales = {dataset for scale in scale_names() for dataset in load_plan(scale).datasets}
    wanted = {f"data@{dataset}" for dataset in load_catalogue() if dataset in of_scales}
    for scale in scale_names():
        wanted |= {f"{kind}@{scale}" for kind in ("runs", "tables", "figures", "audit")}
    assert set(listed) == wanted


def test_outs_persist_and_only_large_ones_are_cached(stages: dict[str, Any]) -> None:
    cached = set()
    for name, stage in stages.items():
        for out in stage["do"]["outs"]:
            ((path, flags),) = out.items()
            assert flags["persist"], f"{name}: DVC would delete {path} before the stage"
            if flags.get("cache", True):
                cached.add(path)
    assert cached == {"data/raw/${key}", "data/prepared/${key}", "results/${key}/artifacts"}


def test_data_are_asked_of_a_scale_that_has_them(clean: Path, stages: dict[str, Any]) -> None:
    asked = stages["data"]["foreach"]
    assert all(dataset in load_plan(scale).datasets for dataset, scale in asked.items())
    scale, path = asked["mnist"], "data/prepared/mnist/data.json"
    command = stages["data"]["do"]["cmd"].replace("${item}", scale).replace("${key}", "mnist")
    assert command.endswith(path)
    said = snakemake(clean, "--dry-run", path, scale=scale).said
    assert "Turning the raw files of mnist into arrays." in said


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
    data = [f"data@{name}" for name in sorted(load_plan("smoke").datasets)]
    assert sorted(ran) == sorted([*data, "runs@smoke", "tables@smoke"])
    assert ran[-2:] == ["runs@smoke", "tables@smoke"]
    assert (smoke.path / "results/smoke/tables/table_1.csv").exists()
    # the direct run after it made only what was left
    said = smoke.by_snakemake.said
    assert "/seed0: trained" not in said and "figure_3 written" in said
    assert CLEAN in dvc(smoke.path, "status", "--with-deps", "tables@smoke").said
    # and nothing of all that wants to be in git but the lock, whose smoke entries never are
    assert git(smoke.path, "status", "--porcelain").split() == ["??", "dvc.lock"]


def test_a_direct_run_then_dvc_commit_leaves_both_in_step(tiny: Finished) -> None:
    assert "digits/kmeans/seed0: trained" in tiny.by_snakemake.said
    assert CLEAN in dvc(tiny.path, "status", "--with-deps", "tables@tiny").said
    again = dvc(tiny.path, "repro", "tables@tiny").said
    assert again.count("didn't change, skipping") == 3 and "Running stage" not in again


def shown(clone: Path, *arguments: str) -> Any:
    """What DVC prints as JSON, its warnings about other scales left out."""
    said = dvc(clone, *arguments).said
    return json.JSONDecoder().raw_decode(said, said.index("{"))[0]


def test_what_dvc_compares_is_that_of_the_scales_that_git_keeps(clone: Path) -> None:
    content = yaml.safe_load((clone / "dvc.yaml").read_text())
    plots = [plot if isinstance(plot, str) else next(iter(plot)) for plot in content["plots"]]
    listed = [*content["metrics"], *plots]
    assert {path.split("/")[1] for path in listed} == {"laptop", "laptop_cifar10"}
    assert [path for path in [*listed, *content["params"]] if not (clone / path).exists()] == []
    for stage in content["stages"].values():
        kinds = {"params", "plots", "metrics"} & set(stage["do"])
        assert not kinds, "beside the stages, not in them"
    # results that git does not have, as of a scale that was only begun, change nothing
    begun = clone / "results/gpu/runs/mnist/iic/seed0/history.jsonl"
    begun.parent.mkdir(parents=True)
    begun.write_text("")
    iic(clone, "dvc", "sync", "--check")
    git(clone, "add", str(begun))
    assert "out of date" in iic(clone, "dvc", "sync", "--check", expect=1).said


def test_committed_scores_and_figures_show(clean: Path, tmp_path: Path) -> None:
    path = "results/laptop/runs/mnist/kmeans/seed0/evaluation.json"
    scores = shown(clean, "metrics", "show", "--json", path)[""]["data"][path]["data"]
    stored = json.loads((clean / path).read_text())
    assert scores["selections"]["label_free"]["acc"] == stored["selections"]["label_free"]["acc"]
    figure = "results/laptop/figures/training_curves.svg"
    dvc(clean, "plots", "show", "--out", str(tmp_path / "page"), figure)
    (copied,) = (tmp_path / "page/static").iterdir()
    assert copied.read_bytes() == (clean / figure).read_bytes()
    assert copied.name in (tmp_path / "page/index.html").read_text()


@pytest.mark.long
def test_a_changed_setting_and_the_scores_that_it_gives_show(tiny_copy: Path) -> None:
    path, table = (
        "results/tiny/runs/digits/kmeans/seed0/evaluation.json",
        "results/tiny/tables/table_1.csv",
    )
    lock = (tiny_copy / "dvc.lock").read_bytes()
    iic(tiny_copy, "dvc", "sync")
    # which files are compared is no reason to run or record anything
    assert CLEAN in dvc(tiny_copy, "status", "--with-deps", "tables@tiny").said
    dvc(tiny_copy, "commit", "--force", "runs@tiny", "tables@tiny")
    assert (tiny_copy / "dvc.lock").read_bytes() == lock
    commit(tiny_copy)
    before = json.loads((tiny_copy / path).read_text())["selections"]["label_free"]["acc"]

    edit(tiny_copy / "params/scales/tiny.yaml", "max_iterations: 300", "max_iterations: 1")
    snakemake(tiny_copy, "tables", scale="tiny")

    after = json.loads((tiny_copy / path).read_text())["selections"]["label_free"]["acc"]
    assert after != before
    params = shown(tiny_copy, "params", "diff", "--json")
    key = "changes.digits/kmeans.max_iterations"
    assert params == {"params/scales/tiny.yaml": {key: {"old": 300, "new": 1, "diff": -299}}}
    assert list(shown(tiny_copy, "metrics", "diff", "--json")) == [path], "scores alone"
    metrics = shown(tiny_copy, "metrics", "diff", "--json", "--targets", path)
    assert metrics[path]["selections.label_free.acc"] == {
        "old": before,
        "new": after,
        "diff": pytest.approx(after - before),
    }
    drawn = shown(tiny_copy, "plots", "diff", "HEAD", "--show-vega", "--targets", table)
    points = {
        value["rev"]: float(value["ours_mean"])
        for value in drawn["data"]["values"]
        if value["row"] == "K-means" and value["ours_mean"]
    }
    assert points == {"HEAD": round(before, 2), "workspace": round(after, 2)}
    assert drawn["facet"]["field"] == "column", "the template of .dvc/plots"
