"""Runs: defined once, referred to from anywhere, with the paper's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iic.params.modules import method_name
from iic.params.runs import Plan, load_plan, runs, scale_names
from tests.params.params_helpers import (
    TABLE,
    change,
    copy_of,
    error_of,
    only_mnist,
    parsed,
    planned,
    row_of,
    write,
)

SECOND: dict[str, Any] = {
    "name": "table_9",
    "title": "Ablation",
    "caption": "As in table 1.",
    "columns": [{"paper": "MNIST", "dataset": "mnist"}],
    "rows": [{"row": "Full", "run": "iic"}],
}


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return copy_of(tmp_path)


def second(params: Path, *rows: dict[str, Any], **more: Any) -> None:
    """A table that scale `both` shows before table 1, and scale `alone` shows alone."""
    write(params, "experiments/table_9.yaml", {**SECOND, "rows": list(rows), **more})
    only_mnist(params, "both", "table_9", "table_1")
    only_mnist(params, "alone", "table_9")


def test_a_table_refers_to_another_tables_run(params: Path) -> None:
    """Whichever is read or shown first, and also where the other is not shown at all."""
    second(params, {"row": "Full", "run": "iic"})
    plan = planned(params, "both")
    assert sorted(plan.runs) == [
        "mnist/adc", "mnist/ae", "mnist/dac", "mnist/dec", "mnist/deepcluster",
        "mnist/denoising_ae", "mnist/gan", "mnist/iic", "mnist/iic-corrected",
        "mnist/iic-fast", "mnist/jule", "mnist/kmeans", "mnist/random",
        "mnist/sparse_ae", "mnist/spectral", "mnist/triplets",
        "mnist/triplets-corrected", "mnist/vae", "mnist/what_where",
    ]  # fmt: skip
    alone = planned(params, "alone")
    assert list(alone.runs) == ["mnist/iic"]
    assert list(alone.tables) == ["table_9"]


@pytest.mark.parametrize("where", ["same file", "other file"])
def test_a_run_that_is_defined_twice_is_refused(params: Path, where: str) -> None:
    again = {
        "row": "Full", "run": "kmeans", "method": "iic.methods.kmeans",
        "datasets": {"mnist": {"k": 10}},
    }  # fmt: skip
    if where == "other file":
        second(params, again)
        # files are read in the order of their names
        file, first, key = "experiments/table_9.yaml", TABLE, "rows.0.datasets.mnist"
    else:
        table = parsed(params / TABLE)
        write(params, TABLE, {**table, "rows": [*table["rows"], again]})
        file, first, key = TABLE, TABLE, f"rows.{len(table['rows'])}.datasets.mnist"
    assert str(error_of(params)) == (
        f"{params / file}: {key}: run mnist/kmeans is already defined in {params / first}\n"
        "  allowed: one definition; refer to it by run alone"
    )


def test_a_reference_to_no_run_is_refused_with_the_nearest(params: Path) -> None:
    second(params, {"row": "Full", "run": "kmean"})
    error = error_of(params)
    assert error.file == str(params / "experiments/table_9.yaml")
    assert error.key == "rows.0.run"
    assert "'kmean' is no known run" in str(error) and error.hint == "kmeans"
    change(params, "experiments/table_9.yaml", ("columns", 0, "dataset"), "stl10")
    change(params, "experiments/table_9.yaml", ("rows", 0, "run"), "iic-corrected")
    assert error_of(params).key == "rows.0.run", "defined, but on no column of this table"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"run": "kmeans", "settings": {"k": 3}}, "refers to run 'kmeans' and cannot change it"),
        ({"run": "kmeans", "datasets": {"mnist": {}}}, "refers to run 'kmeans' and cannot change"),
        ({"run": "x", "method": "iic.methods.kmeans", "like": "y"}, "give method or like, not"),
        ({"run": "x", "method": "iic.methods.kmeans"}, "run 'x' is defined on no dataset"),
        ({"run": "x", "like": "x"}, "'x' is no known run of the experiments files"),
        ({"run": "x", "like": "kmean"},
         "'kmean' is no known run of the experiments files\n  allowed: "),
        ({"run": "x-fold", "like": "kmeans", "folds": 1}, "folds: 1 does not fit"),
        ({"run": "x", "like": "kmeans", "folds": 2}, "has folds, so its run needs a variant"),
        ({"run": "x-fold", "like": "kmeans", "folds": 2}, "unknown key 'fold' (value 0)"),
        ({"run": "iic", "dataset": "mnist"}, "dataset is given exactly where columns are shares"),
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
    assert error.file == str(params / "experiments/table_9.yaml")
    assert error.key.startswith("rows.0") or "row 'Full'" in str(error)
    assert says in str(error)


FRACTIONS = [{"paper": "1.0", "fraction": 1.0}, {"paper": "0.1", "fraction": 0.1}]


@pytest.mark.parametrize(
    ("columns", "row", "says"),
    [
        ([*FRACTIONS, {"paper": "MNIST", "dataset": "mnist"}], {"dataset": "mnist", "run": "iic"},
         "columns: datasets and shares of labels in one table"),
        ([{"paper": "1.0", "fraction": 1.0, "dataset": "mnist"}], {"run": "iic"},
         "column '1.0': give dataset or fraction, one of the two"),
        ([{"paper": "1.0"}], {"run": "iic"}, "column '1.0': give dataset or fraction, one of the"),
        ([{"paper": "2.0", "fraction": 2.0}], {"dataset": "mnist", "run": "iic"},
         "columns.0.fraction: 2.0 does not fit\n  allowed: less than or equal to 1"),
        (FRACTIONS, {"run": "iic"}, "dataset is given exactly where columns are shares of labels"),
        (FRACTIONS, {"dataset": "mnits", "run": "iic"},
         "rows.0.dataset: 'mnits' is no known dataset with runs"),
        (FRACTIONS, {"dataset": "mnist", "run": "iic-run570"},
         "rows.0.run: 'iic-run570' is no known run"),
        (FRACTIONS, {"dataset": "mnist", "run": "x", "method": "iic.methods.kmeans"},
         "refers to a run of another table here"),
    ],
)  # fmt: skip
def test_a_table_by_shares_of_labels_that_contradicts_itself_is_refused(
    params: Path, columns: list[dict[str, Any]], row: dict[str, Any], says: str
) -> None:
    second(params, {"row": "Full", **row}, columns=columns)
    error = error_of(params)
    assert error.file == str(params / "experiments/table_9.yaml")
    assert says in str(error)


def test_a_table_by_shares_of_labels_shows_the_rows_datasets(params: Path) -> None:
    second(params, {"row": "Full", "dataset": "mnist", "run": "iic_star-pct25"}, columns=FRACTIONS)
    plan = planned(params, "alone")
    assert list(plan.runs) == ["mnist/iic_star-pct25"]
    assert [run.id for run in plan.table_runs("table_9")] == ["mnist/iic_star-pct25"]


def test_each_fold_is_a_run_of_its_own(params: Path) -> None:
    plan = planned(params, "paper")
    folds = [run for run in plan.table_runs("table_3") if "-fold" in run.name]
    # how all labels are trained on, and what training starts from
    methods = {
        "exemplar": (None, "stl10/exemplar-features"),
        "what_where": (None, None),
        "scattering": ("stl10/scattering", None),
        "finetune": ("stl10/finetune", "stl10/iic_star-features"),
    }
    assert [run.id for run in folds] == [
        f"stl10/{name}-fold{fold}" for name in methods for fold in range(10)
    ]
    for position, (all_labels, base) in enumerate(methods.values()):
        of_method = folds[10 * position : 10 * position + 10]
        shared = of_method[0].settings_json
        if all_labels is not None:
            shared = plan.run(all_labels).settings_json
            assert shared["fold"] is None
        for fold, run in enumerate(of_method):
            assert run.settings_json == {**shared, "fold": fold}
            assert plan.base_of(run) == (None if base is None else plan.run(base))


def test_like_takes_over_a_run_of_another_file(params: Path) -> None:
    paper = planned(params, "paper")
    base, other = (paper.run(f"stl10/{name}") for name in ("iic", "iic-no_overclustering"))
    expected = {**base.settings_json, "head_a": {**base.settings_json["head_a"], "k": 10}}
    assert other.settings_json == expected
    # only on the datasets of the table that refers, not on all of the run that it refers to
    assert "cifar10/iic-no_overclustering" not in paper.definitions


def test_like_takes_over_method_and_settings_and_changes_some(params: Path) -> None:
    plan = planned(params, "paper")
    base, other = (plan.run(f"mnist/{name}") for name in ("iic", "iic-corrected"))
    assert other.method == base.method
    assert (base.fidelity, other.fidelity) == ("as_published", "corrected")
    expected = {**base.settings_json, "overclustering_head": True}
    expected["schedule"] = {**expected["schedule"], "snapshot_steps": []}
    assert other.settings_json == expected

    change(
        params,
        TABLE,
        ("rows", row_of("iic-corrected"), "datasets", "mnist"),
        {"overclustering_head": True, "sub_heads": 2},
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
    only_mnist(
        params, "base", "table_1",
        seeds={"default": [0], "mnist/iic": [1, 2]},
        figures=["figure_3"],
        changes={"mnist/iic": {"sub_heads": 2, "schedule": {"epochs": 7, "max_steps": 9}}},
    )  # fmt: skip
    top = {
        "name": "top",
        "extends": "base",
        "seeds": {"mnist/iic": [3]},
        "figures": [],
        "changes": {"mnist/iic": {"schedule": {"epochs": 8}}, "mnist/kmeans": {"restarts": 2}},
    }
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
    return {scale: load_plan(scale) for scale in scale_names()}


def test_all_scales_load(every_plan: dict[str, Plan]) -> None:
    assert set(every_plan) >= {"smoke", "mini", "laptop", "gpu", "paper"}
    for scale, plan in every_plan.items():
        assert plan.scale.name == scale
        assert [run.id for run in runs(scale)] == list(plan.runs)
        for run in plan.runs.values():
            assert run.seeds and run.dataset in plan.datasets
            assert not list(run.settings.problems(plan.datasets[run.dataset]))


def test_measured_scales_differ_from_the_paper_only_as_they_say(
    every_plan: dict[str, Plan],
) -> None:
    """Epochs (noted in the table), snapshots for the figures, and how the arithmetic is done."""
    for plan in every_plan.values():
        if not plan.scale.real:
            continue
        for run in plan.runs.values():
            paper, mine = plan.definitions[run.id].settings.model_dump(), run.settings.model_dump()
            for free in ("compute", "threads", "gpu"):
                mine.pop(free, None), paper.pop(free, None)
            if "schedule" in mine:
                mine["schedule"].pop("snapshot_steps"), paper["schedule"].pop("snapshot_steps")
                epochs = [one["schedule"].pop("epochs") for one in (mine, paper)]
                noted = run.note is not None and f"{epochs[0]:,} epochs" in run.note
                assert noted == (epochs[0] != epochs[1])
                every = [one["schedule"].pop("evaluate_every") for one in (mine, paper)]
                assert (run.note is not None and "evaluated every" in run.note) == (
                    every[0] != every[1]
                )
                falls = [one["schedule"].pop("learning_rate") for one in (mine, paper)]
                noted = run.note is not None and "learning rate falls" in run.note
                assert noted == (falls[0] != falls[1])
            if "penalised" in mine:
                units = [one.pop("penalised") for one in (mine, paper)]
                noted = run.note is not None and "penalised" in run.note
                assert noted == (units[0] != units[1])
            if "thresholds" in mine:
                steps = [one["thresholds"].pop("eta") for one in (mine, paper)]
                noted = run.note is not None and "thresholds move as far" in run.note
                assert noted == (steps[0] != steps[1])
            if "round_epochs" in mine:
                epochs = [one.pop("round_epochs") for one in (mine, paper)]
                noted = run.note is not None and f"{epochs[0]:,} epochs between" in run.note
                assert noted == (epochs[0] != epochs[1])
            if "pretraining" in mine:
                for key, said in {
                    "layer_epochs": "epochs a layer",
                    "finetuning_epochs": "of fine",
                }.items():
                    epochs = [one["pretraining"].pop(key) for one in (mine, paper)]
                    noted = run.note is not None and f"{epochs[0]:,} {said}" in run.note
                    assert noted == (epochs[0] != epochs[1])
                first = [one["pretraining"].pop("initial_deviation") for one in (mine, paper)]
                noted = run.note is not None and "first weights" in run.note
                assert noted == (first[0] != first[1])
                # after how many epochs the learning rate falls
                mine["pretraining"].pop("decay_epochs"), paper["pretraining"].pop("decay_epochs")
            assert mine == paper
    seeds = {run.id: run.seeds for run in every_plan["laptop"].runs.values()}
    assert seeds.pop("mnist/iic-fast") == tuple(range(20))
    assert {seeds.pop(f"mnist/{run}") for run in ("kmeans", "spectral")} == {(0, 1, 2)}
    assert set(seeds.values()) == {(0,)}
    for scale in ("gpu", "paper"):
        assert {run.seeds for run in every_plan[scale].runs.values()} == {(0, 1, 2)}
        for run in every_plan[scale].runs.values():
            on_host = run.name.split("-")[0] in ("kmeans", "spectral", "sift")
            assert run.settings.gpu is not on_host
    assert not any(run.note for run in every_plan["paper"].runs.values())


def test_smoke_is_at_most_20_steps_and_one_seed(every_plan: dict[str, Plan]) -> None:
    plan = every_plan["smoke"]
    mini = every_plan["mini"]
    assert {run.method for run in plan.runs.values()} == {run.method for run in mini.runs.values()}
    assert (plan.tables, plan.figures) == (mini.tables, mini.figures)
    # each method once, but for these: what figures and finetuning need, and variants of IMC-SwAV
    of_method: dict[str, list[str]] = {}
    for run in plan.runs.values():
        of_method.setdefault(method_name(run.method), []).append(run.id)
    assert {name: ids for name, ids in of_method.items() if len(ids) > 1} == {
        "iic": ["stl10_standin/iic", "digits/iic", "digits/iic-corrected"],
        "iic.star": ["stl10_standin/iic_star-features", "stl10_standin/iic_star-pct100"],
        "iic.maps": ["cocostuff3_standin/iic", "potsdam3_standin/iic"],
        "imc_swav": ["stl10_standin/imc_swav", "stl10_standin/imc_swav-test_statistics"],
    }
    for run in plan.runs.values():
        assert run.seeds == (0,)
        schedule = getattr(run.settings, "schedule", None)
        if schedule is not None:
            assert schedule.epochs == 0 or (schedule.max_steps or 99) <= 20
            assert all(step <= 20 for step in schedule.snapshot_steps)


def test_mini_runs_without_network_or_gpu(every_plan: dict[str, Plan]) -> None:
    plan = every_plan["mini"]
    assert not plan.scale.real
    for dataset in plan.datasets.values():
        assert dataset.generator or all(file.embedded is not None for file in dataset.files)
    assert not any(run.settings.gpu for run in plan.runs.values())
    for name in ("digits/random", "digits/kmeans", "digits/iic"):
        assert plan.run(name).seeds == (0, 1, 2)
