"""``iic recluster``: a row, a run with its base as parent, or one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.records.paths import RunPaths
from tests.cli.cli_helpers import iic, make_clone

TABLE = "params/experiments/imc_swav_reclustered.yaml"
BASE = "cifar10_standin/imc_swav"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without results."""
    return make_clone(tmp_path / "clone")


def finish(clone: Path) -> None:
    """Weights of runs to start from, which nothing reads here."""
    for name in (BASE, f"{BASE}-joint"):
        for seed in load_plan("mini", clone / "params").runs[name].seeds:
            path = clone / RunPaths("mini", name, seed).weights
            path.parent.mkdir(parents=True)
            path.touch()


def test_a_row_is_added_once_and_planned_with_its_base(clone: Path) -> None:
    finish(clone)
    before = (clone / TABLE).read_text()
    words = ["recluster", BASE, "--k", "7", "--epochs", "3", "--no-run"]
    other = ["recluster", BASE, "--k", "7", "--epochs", "4", "--no-run"]
    joint = ["recluster", f"{BASE}-joint", "--k", "3", "--no-run"]
    first, again, longer, gradient = iic(clone, words, words, other, joint)
    assert first.status == again.status == gradient.status == 0, first.text + gradient.text
    assert (
        longer.status == 1 and "imc_swav_recluster-k7_cifar10 is a run of 3 epochs" in longer.text
    )
    assert "row imc_swav_recluster-k7_cifar10 added" in first.text and "added" not in again.text
    after = (clone / TABLE).read_text()
    assert after.startswith(before) and after.count("imc_swav_recluster-k7_cifar10") == 1
    load_plan.cache_clear()
    plan = load_plan("mini", clone / "params")
    run = plan.run("cifar10_standin/imc_swav_recluster-k7_cifar10")
    base = plan.base_of(run)
    assert base is not None and base.id == BASE and set(run.seeds) <= set(base.seeds)
    settings = run.settings.model_dump()
    assert (settings["k"], settings["schedule"]["epochs"]) == (7, 3)
    assert settings["evaluation"]["matching"] == "many_to_one"
    assert settings["encoder"] == base.settings.model_dump()["encoder"]
    joint_settings = plan.run(f"{BASE}_joint_recluster-k3_cifar10").settings.model_dump()
    assert joint_settings["start_from"] == "imc_swav-joint" and not joint_settings["joint"]
    assert load_plan("paper", clone / "params").runs["cifar10/imc_swav_recluster-k7_cifar10"]
    load_plan.cache_clear()


def test_what_is_refused_leaves_the_table_alone(clone: Path) -> None:
    before = (clone / TABLE).read_text()
    missing, other, unknown, reclustered = iic(
        clone,
        ["recluster", BASE, "--k", "7"],
        ["recluster", "cifar10_standin/kmeans-test", "--k", "7"],
        ["recluster", "cifar10_standin/imc_swaw", "--k", "7"],
        ["recluster", f"{BASE}_recluster-k10_cifar10", "--k", "7"],
    )
    assert (
        "seed0/weights.safetensors: missing" in missing.text and "remedy: iic run" in missing.text
    )
    assert f"allowed: {BASE}" in other.text and f"allowed: {BASE}" in reclustered.text
    assert f"did you mean: {BASE}?" in unknown.text
    finish(clone)
    few, many, elsewhere = iic(
        clone,
        ["recluster", BASE, "--k", "1"],
        ["recluster", BASE, "--k", "31"],
        ["recluster", "mnist/kmeans", "--k", "5", "--scale", "laptop"],
    )
    assert few.status == 2 and "Invalid value for '--k'" in few.text
    assert "30 prototypes for 5 classes and 31 clusters" in many.text
    assert "none at scale laptop" in elsewhere.text
    answers = (missing, other, unknown, reclustered, many, elsewhere)
    assert all(answer.status == 1 and answer.text.count("error: ") == 1 for answer in answers)
    assert (clone / TABLE).read_text() == before
