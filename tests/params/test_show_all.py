"""Scales that show all tables, figures and listings, and the targets that follow params."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.params.params_helpers import MINI, change, copy_of, error_of, planned


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return copy_of(tmp_path)


def test_all_is_in_order_of_position_and_may_leave_some_out(params: Path) -> None:
    every = planned(params, "mini")
    assert list(every.tables)[:2] == ["table_1", "table_2"]
    assert list(every.tables)[-2:] == ["imc_swav_ablations", "imc_swav_reclustered"]
    change(params, MINI, ("leave_out",), ["segmentation_miou", "figure_2", "supp_table_1"])
    fewer = planned(params, "mini")
    assert list(fewer.tables) == [name for name in every.tables if name != "segmentation_miou"]
    assert set(every.figures) - set(fewer.figures) == {"figure_2"}
    assert set(every.listings) - set(fewer.listings) == {"supp_table_1"}


def test_a_table_without_a_position_comes_last(params: Path) -> None:
    text = (params / "experiments/table_2.yaml").read_text(encoding="utf-8")
    (params / "experiments/table_2.yaml").write_text(
        text.replace("position: 2\n", ""), encoding="utf-8"
    )
    assert list(planned(params, "mini").tables)[-1] == "table_2"


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("tables", "every", ["tables", "'every' is neither the word all nor a list"]),
        ("figures", [1], ["figures", "neither the word all"]),
        ("tables", ["tabel_1"], ["tables.0", "'tabel_1' is no known table", "table_1?"]),
        ("leave_out", ["figure_22"], ["leave_out.0", "'figure_22'", "figure_2?"]),
        ("leave_out", ["figure_2", "figure_2"], ["leave_out", "stands twice"]),
    ],
)
def test_wrong_words_are_named(params: Path, key: str, value: Any, parts: list[str]) -> None:
    change(params, MINI, (key,), value)
    message = str(error_of(params))
    for part in parts:
        assert part in message


def test_nothing_is_left_out_of_lists(params: Path) -> None:
    change(params, "scales/laptop.yaml", ("leave_out",), ["figure_2"])
    assert "no list says all" in str(error_of(params, "laptop"))


def test_iics_own_runs_and_baselines_are_all_runs(params: Path) -> None:
    whole = planned(params, "paper")
    own, others = ({run.id for run in runs} for runs in (whole.own_runs, whole.baseline_runs))
    assert own | others == set(whole.runs) and not own & others
    assert {"mnist/iic", "stl10/finetune", "potsdam3/iic_star"} <= own
    assert {"mnist/kmeans", "mnist/random", "potsdam3/random"} <= others
    assert {run.paper_dataset for run in whole.ablation_runs} >= {"stl10", "cocostuff3"}
