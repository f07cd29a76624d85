"""Settings that a scale gives to many runs at once, and runs that start from others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iic.params.base import Model
from iic.params.loading import validate
from iic.params.optimisers import MomentumSettings
from iic.params.runs import load_plan, scale_names
from tests.params.params_helpers import change, copy_of, error_of, only_mnist, parsed, planned

GPU = "scales/gpu.yaml"


class Block(Model):
    """A method's settings with defaults of their own for a block."""

    optimiser: MomentumSettings = MomentumSettings(learning_rate=0.05, weight_decay=0.1)


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return copy_of(tmp_path)


def test_later_patterns_and_then_changes_lie_on_top(params: Path) -> None:
    only_mnist(
        params, "own", "table_1",
        defaults={
            "*/*": {"gpu": True, "schedule": {"epochs": 5}, "sub_heads": 2},
            "*/iic*": {"schedule": {"epochs": 6}},
            "*/iic-c*": {"schedule": {"evaluate_every": 3}},
        },
        changes={
            "mnist/iic-corrected": {"schedule": {"max_steps": 9}},
            "mnist/iic": {"gpu": False},
        },
    )  # fmt: skip
    whole = planned(params, "own")
    base, other = (whole.run(f"mnist/{name}").settings_json for name in ("iic", "iic-corrected"))
    assert (base["gpu"], base["sub_heads"], base["schedule"]["epochs"]) == (False, 2, 6)
    assert (base["schedule"]["evaluate_every"], base["schedule"]["max_steps"]) == (1, None)
    assert (other["gpu"], other["schedule"]["epochs"]) == (True, 6)
    assert (other["schedule"]["evaluate_every"], other["schedule"]["max_steps"]) == (3, 9)
    # k-means has neither sub-heads nor a schedule
    clusters = whole.run("mnist/kmeans").settings_json
    assert clusters["gpu"] is True and "schedule" not in clusters


def test_a_shorter_training_is_noted_by_itself(params: Path) -> None:
    only_mnist(
        params, "own", "table_1",
        defaults={"*/iic*": {"schedule": {"epochs": 1000, "evaluate_every": 5, "max_steps": 9000}}},
        notes={"mnist/iic-corrected": "as I say"},
    )  # fmt: skip
    runs = planned(params, "own").runs
    assert runs["mnist/iic"].note == (
        "1,000 epochs in place of 462, at most 9,000 steps, evaluated every 5 epochs"
    )
    assert runs["mnist/iic-corrected"].note == "as I say"
    assert runs["mnist/kmeans"].note is None
    change(params, "scales/own.yaml", ("real",), False)
    assert planned(params, "own").runs["mnist/iic"].note is None


def test_a_scale_that_extends_another_adds_to_its_defaults(params: Path) -> None:
    only_mnist(params, "base", "table_1", defaults={"*/iic": {"sub_heads": 2, "gpu": True}})
    only_mnist(
        params,
        "top",
        "table_1",
        extends="base",
        defaults={"*/iic": {"sub_heads": 3}, "*/iic*": {"threads": 2}},
    )
    settings = planned(params, "top").run("mnist/iic").settings
    assert (settings.model_dump()["sub_heads"], settings.gpu, settings.threads) == (3, True, 2)


@pytest.mark.parametrize(
    ("defaults", "key", "says"),
    [
        ({"*/icc*": {"gpu": True}}, "defaults.*/icc*", "'*/icc*' fits no run of this scale"),
        ({"*/iic*": {"gppu": True}}, "defaults.*/iic*.gppu",
         "unknown key 'gppu' (value true)\n  allowed: augmentation, "),
        ({"*/kmeans": {"schedule": {}}}, "defaults.*/kmeans.schedule", "unknown key 'schedule'"),
        ({"*/iic*": {"schedule": {"epoch": 3}}}, "defaults.*/iic*.schedule.epoch",
         "unknown key 'epoch' (value 3)"),
        ({"*/iic*": {"sub_heads": 0}}, "defaults.*/iic*.sub_heads", "0 does not fit"),
        ({"*/iic*": {"head_b": {"k": 9}}}, "defaults.*/iic*.head_b.k", "9 clusters, but 10"),
        ({"iic": {"gpu": True}}, "defaults.iic", "'iic' does not fit\n  allowed: String should"),
        ({"*/iic*": 3}, "defaults.*/iic*", "3 does not fit\n  allowed: a mapping of keys"),
    ],
)  # fmt: skip
def test_a_wrong_default_is_named(
    params: Path, defaults: dict[str, Any], key: str, says: str
) -> None:
    only_mnist(params, "own", "table_1", defaults=defaults)
    error = error_of(params, "own")
    assert error.file == str(params / "scales/own.yaml")
    assert error.key == key
    assert says in str(error)


def test_a_default_cannot_undo_an_ablation(params: Path) -> None:
    change(params, GPU, ("defaults", "stl10/iic*", "pairs"), {"repeats": 7})
    error = error_of(params, "gpu")
    table = params / "experiments/table_2.yaml"
    assert str(error) == (
        f"{params / GPU}: defaults.stl10/iic*.pairs.repeats: 7 would undo the 1 that makes run "
        f"stl10/iic-no_repeats what it is ({table}: rows.2.settings.pairs.repeats)\n"
        "  allowed: a pattern that does not fit this run, or pairs.repeats in its changes"
    )
    # the scale may say so for the run itself
    scales = ("iic-no_repeats", "iic-repeats_2", "iic-repeats_4")
    for name in scales:
        change(params, GPU, ("changes", f"stl10/{name}"), {"pairs": {"repeats": 10}})
    whole = planned(params, "gpu")
    repeats = {run.id: run.settings_json["pairs"]["repeats"] for run in whole.table_runs("table_2")}
    assert repeats["stl10/iic-no_repeats"] == 10 and repeats["stl10/iic"] == 7


def test_a_default_leaves_folds_apart(params: Path) -> None:
    change(params, GPU, ("defaults", "stl10/finetune*", "fold"), 3)
    error = error_of(params, "gpu")
    assert error.key == "defaults.stl10/finetune*.fold"
    assert "3 would undo the 0 that makes run stl10/finetune-fold0 what it is" in str(error)


@pytest.mark.parametrize("scale", scale_names())
def test_no_two_runs_of_a_table_are_the_same(scale: str) -> None:
    """Whatever a scale changes, an ablation stays one."""
    whole = load_plan(scale)
    for name in whole.tables:
        seen: dict[str, str] = {}
        for run in whole.table_runs(name):
            settings = f"{run.dataset} {run.method} {run.settings_json}"
            assert settings not in seen, f"{name}: {run.id} is {seen[settings]}"
            seen[settings] = run.id


def test_a_run_that_starts_from_another_needs_its_network(params: Path) -> None:
    change(params, GPU, ("changes", "stl10/finetune"), {"network": {"width": 0.5}})
    error = error_of(params, "gpu")
    assert error.file == str(params / GPU)
    assert error.key == "changes.stl10/finetune.network.width"
    assert (
        "0.5, but run stl10/finetune starts from stl10/iic_star-features, whose network has 1.0"
        "\n  allowed: 1.0"
    ) in str(error)
    # the other one may be the one that was changed
    changes = parsed(params / GPU)["changes"]
    del changes["stl10/finetune"]
    changes["stl10/iic_star-features"] = {"network": {"width": 0.5}}
    change(params, GPU, ("changes",), changes)
    error = error_of(params, "gpu")
    assert error.file == str(params / "experiments/table_3.yaml")
    assert "1.0, but run stl10/finetune-fold0 starts from stl10/iic_star-features" in str(error)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("iic_star-feature", "which this scale does not run\n  allowed: "),
        ("kmeans", "stl10/kmeans, and one of them has no network"),
    ],
)
def test_a_run_starts_from_a_run_of_the_scale(params: Path, name: str, says: str) -> None:
    change(params, GPU, ("changes", "stl10/finetune"), {"start_from": name})
    error = error_of(params, "gpu")
    assert error.file == str(params / GPU)
    assert error.key == "changes.stl10/finetune.start_from"
    assert says in str(error)


def test_no_run_starts_from_one_that_itself_starts_from_another(params: Path) -> None:
    change(params, GPU, ("changes", "stl10/finetune-corrected"), {"start_from": "finetune"})
    error = error_of(params, "gpu")
    assert error.key == "changes.stl10/finetune-corrected.start_from"
    assert "stl10/finetune, which itself starts from 'iic_star-features'" in str(error)


def test_a_run_that_is_left_out_cannot_be_started_from(params: Path) -> None:
    change(params, GPU, ("skip",), ["stl10/iic_star-features"])
    change(params, GPU, ("skip_reason",), "too long")
    error = error_of(params, "gpu")
    assert error.file == str(params / "experiments/table_3.yaml")
    assert error.key.endswith("start_from")
    assert "'iic_star-features', which this scale does not run" in str(error)


def test_a_run_has_no_seeds_that_its_base_has_not(params: Path) -> None:
    change(params, GPU, ("seeds", "stl10/iic_star-features"), [0, 1])
    assert "has seeds [2], but stl10/iic_star-features, from which it starts, has [0, 1]" in str(
        error_of(params, "gpu")
    )


def test_a_block_given_in_part_keeps_the_methods_own_defaults() -> None:
    """pydantic alone would take the weight decay from `MomentumSettings`, which has none."""
    given = {"learning_rate": 0.5}
    optimiser = validate(Block, {"optimiser": given}, "file").optimiser
    assert (optimiser.learning_rate, optimiser.weight_decay, optimiser.momentum) == (0.5, 0.1, 0.9)
    assert validate(Block, {"optimiser": {"weight_decay": 0}}, "file").optimiser.weight_decay == 0
    plan = load_plan("mini").run("digits/gan")
    assert plan.settings.model_dump()["optimiser"]["beta1"] == 0.5
