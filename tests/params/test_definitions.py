"""Runs: defined once, referred to from anywhere, with the paper's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iic.methods import iic, kmeans, random_network
from iic.params.runs import Plan, plan, runs, scale_names
from tests.params.params_helpers import (
    MINI,
    TABLE,
    change,
    copy_of,
    error_of,
    parsed,
    planned,
    row_of,
    write,
)

SECOND: dict[str, Any] = {
    "name": "table_2",
    "title": "Ablation",
    "caption": "As in table 1.",
    "columns": [{"paper": "MNIST", "dataset": "mnist"}],
    "rows": [{"row": "Full", "run": "iic"}],
}


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return copy_of(tmp_path)


def second(params: Path, *rows: dict[str, Any]) -> None:
    """A second table that mini and gpu show before the first."""
    write(params, "experiments/table_2.yaml", {**SECOND, "rows": list(rows)})
    for scale in (MINI, "scales/gpu.yaml"):
        change(params, scale, ("tables",), ["table_2", "table_1"])


def test_a_table_refers_to_another_tables_run(params: Path) -> None:
    """Whichever is read or shown first, and also where the other is not shown at all."""
    second(params, {"row": "Full", "run": "iic"})
    whole = planned(params)
    assert sorted(whole.runs) == [
        "digits/iic", "digits/iic-corrected", "digits/kmeans", "digits/random",
    ]  # fmt: skip
    change(params, "scales/gpu.yaml", ("tables",), ["table_2"])
    change(params, "scales/gpu.yaml", ("changes",), {})
    change(params, "scales/gpu.yaml", ("notes",), {})
    alone = planned(params, "gpu")
    assert list(alone.runs) == ["mnist/iic"]
    assert list(alone.tables) == ["table_2"]


@pytest.mark.parametrize("where", ["same file", "other file"])
def test_a_run_that_is_defined_twice_is_refused(params: Path, where: str) -> None:
    again = {
        "row": "Full", "run": "kmeans", "method": "iic.methods.kmeans",
        "datasets": {"mnist": {"k": 10}},
    }  # fmt: skip
    if where == "other file":
        second(params, again)
        file, key = "experiments/table_2.yaml", "rows.0.datasets.mnist"
    else:
        table = parsed(params / TABLE)
        write(params, TABLE, {**table, "rows": [*table["rows"], again]})
        file, key = TABLE, f"rows.{len(table['rows'])}.datasets.mnist"
    assert str(error_of(params)) == (
        f"{params / file}: {key}: run mnist/kmeans is already defined in {params / TABLE}\n"
        "  allowed: one definition; refer to it by run alone"
    )


def test_a_reference_to_no_run_is_refused_with_the_nearest(params: Path) -> None:
    second(params, {"row": "Full", "run": "kmean"})
    error = error_of(params)
    assert error.file == str(params / "experiments/table_2.yaml")
    assert error.key == "rows.0.run"
    assert "'kmean' is no known run" in str(error) and error.hint == "kmeans"
    change(params, "experiments/table_2.yaml", ("columns", 0, "dataset"), "stl10")
    change(params, "experiments/table_2.yaml", ("rows", 0, "run"), "kmeans")
    assert error_of(params).key == "rows.0.run", "defined, but on no column of this table"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"run": "kmeans", "settings": {"k": 3}}, "refers to run 'kmeans' and cannot change it"),
        ({"run": "kmeans", "datasets": {"mnist": {}}}, "refers to run 'kmeans' and cannot change"),
        ({"run": "x", "method": "iic.methods.kmeans", "like": "y"}, "give method or like, not"),
        ({"run": "x", "method": "iic.methods.kmeans"}, "run 'x' is defined on no dataset"),
        ({"run": "x", "like": "x"}, "'x' is no known run of this file"),
        ({"run": "x", "like": "kmeans"}, "'kmeans' is no known run of this file"),
        ({"method": "iic.methods.kmeans"}, "without a run needs a status and a reason"),
        ({"status": "not_run"}, "without a run needs a status and a reason"),
        ({"status": "not_run", "reason": "x", "like": "y"}, "gives settings but no run"),
        ({"run": "kmeans", "status": "not_run", "reason": "x"}, "has a run, so status and reason"),
        ({"run": "kmeans", "fidelity": "corrected"},
         "'corrected', but run mnist/kmeans is defined as 'as_published'"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused(
    params: Path, row: dict[str, Any], says: str
) -> None:
    second(params, {"row": "Full", **row})
    error = error_of(params)
    assert error.file == str(params / "experiments/table_2.yaml")
    assert error.key.startswith("rows.0")
    assert says in str(error)


def test_like_takes_over_method_and_settings_and_changes_some(params: Path) -> None:
    whole = planned(params, "paper")
    base, other = (whole.run(f"mnist/{name}") for name in ("iic", "iic-corrected"))
    assert other.method == base.method
    assert (base.fidelity, other.fidelity) == ("as_published", "corrected")
    expected = {**base.settings_json, "overclustering_head": True}
    expected["schedule"] = {**expected["schedule"], "snapshot_steps": []}
    assert other.settings_json == expected

    change(
        params, TABLE, ("rows", row_of("iic-corrected"), "datasets"), {"mnist": {"sub_heads": 2}}
    )
    changed = planned(params, "paper").run("mnist/iic-corrected")
    assert changed.settings_json == {**expected, "sub_heads": 2}


def test_like_is_followed_once(params: Path) -> None:
    table = parsed(params / TABLE)
    last = {"row": "IIC", "run": "iic-twice", "like": "iic-corrected"}
    write(params, TABLE, {**table, "rows": [*table["rows"], last]})
    error = error_of(params)
    assert error.key == f"rows.{len(table['rows'])}.like"
    assert "run 'iic-corrected' itself starts from another run" in str(error)


def test_a_scale_is_laid_over_the_one_that_it_extends(params: Path) -> None:
    base = {
        **parsed(params / "scales/paper.yaml"),
        "name": "base",
        "seeds": {"default": [0], "mnist/iic": [1, 2]},
        "changes": {"mnist/iic": {"sub_heads": 2, "schedule": {"epochs": 7, "max_steps": 9}}},
    }
    top = {
        "name": "top",
        "extends": "base",
        "seeds": {"mnist/iic": [3]},
        "figures": [],
        "changes": {"mnist/iic": {"schedule": {"epochs": 8}}, "mnist/kmeans": {"restarts": 2}},
    }
    write(params, "scales/base.yaml", base)
    write(params, "scales/top.yaml", top)
    under, over = planned(params, "base"), planned(params, "top")
    assert (over.scale.name, over.scale.machine) == ("top", under.scale.machine)
    assert under.figures and not over.figures
    assert [over.run(f"mnist/{name}").seeds for name in ("iic", "kmeans")] == [(3,), (0,)]
    settings = over.run("mnist/iic").settings_json
    assert (settings["sub_heads"], settings["head_a"]["k"]) == (2, 50)
    assert (settings["schedule"]["epochs"], settings["schedule"]["max_steps"]) == (8, 9)
    assert under.run("mnist/iic").settings_json["schedule"]["epochs"] == 7
    assert over.run("mnist/kmeans").settings_json["restarts"] == 2


def test_a_scale_extends_one_that_extends_none(params: Path) -> None:
    change(params, "scales/smoke.yaml", ("extends",), "gpu")
    change(params, "scales/gpu.yaml", ("extends",), "paper")
    error = error_of(params, "smoke")
    assert (error.file, error.key) == (str(params / "scales/smoke.yaml"), "extends")
    assert "'gpu' itself extends another scale" in str(error)


def test_a_run_that_the_scale_has_not_is_named_with_the_nearest(params: Path) -> None:
    with pytest.raises(Exception, match=r"no run 'digits/kmean'(.|\n)*did you mean: digits/kmeans"):
        planned(params).run("digits/kmean")


@pytest.fixture(scope="module")
def every_plan() -> dict[str, Plan]:
    return {scale: plan(scale) for scale in scale_names()}


def test_all_scales_load(every_plan: dict[str, Plan]) -> None:
    assert set(every_plan) >= {"smoke", "mini", "laptop", "gpu", "paper"}
    for scale, whole in every_plan.items():
        assert whole.scale.name == scale
        assert [run.id for run in runs(scale)] == list(whole.runs)
        for run in whole.runs.values():
            assert run.seeds and run.dataset in whole.datasets
            assert not list(run.settings.problems(whole.datasets[run.dataset]))


@pytest.mark.parametrize("run", ["iic", "iic-corrected"])
def test_mnist_at_scale_paper_is_supplementary_table_2(
    every_plan: dict[str, Plan], run: str
) -> None:
    """Supp. Table 2: base B, n 700, h 5, r 5, 1 channel, k 10 and 50, crops, input 24."""
    settings = every_plan["paper"].run(f"mnist/{run}").settings
    assert isinstance(settings, iic.Settings)
    network, g = settings.network, settings.augmentation
    assert (network.family, network.input_size, network.in_channels) == ("B", 24, 1)
    assert network.stage_channels == (64, 128, 256, 512)
    assert network.batchnorm_running_statistics is False
    assert (settings.pairs.batch_pairs, settings.pairs.repeats) == (700, 5)
    assert settings.pairs.batch_images == 140 and settings.pairs.order == "dataset"
    assert settings.sub_heads == 5
    assert (settings.head_a.k, settings.head_a.lam, settings.head_a.passes) == (50, 1.0, 1)
    assert (settings.head_b.k, settings.head_b.lam, settings.head_b.passes) == (10, 1.0, 2)
    assert settings.head_order == "B first"
    assert settings.overclustering_head is (run == "iic-corrected")
    assert g.kind == "grey" and g.input_size == 24
    assert (g.crop, g.crops, g.centre_probability) == (20, (16, 20, 24), 0.5)
    assert (g.rotation_degrees, g.rotation_probability) == (25.0, 0.5)
    assert (g.brightness, g.contrast) == (0.4, 0.4)
    adam = settings.optimiser
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (1e-4, 0.9, 0.999, 1e-8)
    assert settings.schedule.epochs == 463 and settings.schedule.max_steps is None
    assert settings.schedule.evaluation_batch == 700
    assert settings.compute.precision == "float32"


def test_other_methods_at_scale_paper(every_plan: dict[str, Plan]) -> None:
    clusters = every_plan["paper"].run("mnist/kmeans").settings
    assert isinstance(clusters, kmeans.Settings) and clusters.k == 10
    untrained = every_plan["paper"].run("mnist/random").settings
    trained = every_plan["paper"].run("mnist/iic").settings
    assert isinstance(untrained, random_network.Settings) and isinstance(trained, iic.Settings)
    assert (untrained.network, untrained.augmentation) == (trained.network, trained.augmentation)
    assert (untrained.k, untrained.sub_heads) == (10, 5)


def test_measured_scales_differ_from_the_paper_only_as_they_say(
    every_plan: dict[str, Plan],
) -> None:
    """Epochs (noted in the table), snapshots for the figures, and how the arithmetic is done."""
    for scale, epochs in {"paper": 463, "gpu": 10, "laptop": 3}.items():
        whole = every_plan[scale]
        for run in whole.runs.values():
            paper = every_plan["paper"].run(run.id).settings_json
            mine = run.settings_json
            for free in ("compute", "threads", "gpu"):
                mine.pop(free, None), paper.pop(free, None)
            if "schedule" in mine:
                assert mine["schedule"]["epochs"] == epochs
                assert (run.note is not None and f"{epochs} epochs" in run.note) == (epochs != 463)
                mine.pop("schedule"), paper.pop("schedule")
            assert mine == paper
    assert {run.seeds for run in every_plan["laptop"].runs.values()} == {(0,)}
    for scale in ("gpu", "paper"):
        assert {run.seeds for run in every_plan[scale].runs.values()} == {(0, 1, 2)}


def test_smoke_is_at_most_20_steps_and_one_seed(every_plan: dict[str, Plan]) -> None:
    whole = every_plan["smoke"]
    assert set(whole.runs) == set(every_plan["mini"].runs)
    for run in whole.runs.values():
        assert run.seeds == (0,)
        if isinstance(run.settings, iic.Settings):
            schedule = run.settings.schedule
            assert schedule.max_steps is not None and schedule.max_steps <= 20
            assert all(step <= 20 for step in schedule.snapshot_steps)


def test_mini_runs_without_network_or_gpu(every_plan: dict[str, Plan]) -> None:
    whole = every_plan["mini"]
    assert not whole.scale.real
    for dataset in whole.datasets.values():
        assert all(file.embedded is not None for file in dataset.files)
    assert not any(run.settings.gpu for run in whole.runs.values())
    for name in ("digits/random", "digits/kmeans", "digits/iic"):
        assert whole.run(name).seeds == (0, 1, 2)
