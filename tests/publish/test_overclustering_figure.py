from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from iic.params.experiments import Figure
from iic.params.runs import Plan
from iic.publish.figures.overclustering import draw
from iic.publish.figures.saving import render
from iic.publish.figures.style import FigureError
from iic.records.files import RecordError
from iic.records.paths import RunPaths
from tests.publish.figure_helpers import PAPER_K, figures_plan, write_fractions

FRACTIONS = (1.0, 0.5, 0.25, 0.1, 0.01)
# by share of k: accuracy with all labels; it falls by `LOSS` from one fraction to the next
ACCURACY = {"100": 60.0, "50": 55.0, "25": 50.0, "12_5": 40.0}
LOSS = 5.0
BONUS = {"stl10": 0.0, "cifar10": 2.0, "mnist": 20.0}


def write_all(root: Path, plan: Plan) -> None:
    for run in plan.runs.values():
        if "star" not in run.id:
            continue
        share = run.name.split("pct")[1]
        for seed in run.seeds:
            top = ACCURACY[share] + BONUS[run.paper_dataset] + 2 * seed
            curve = {
                fraction: (top - LOSS * index, None if fraction == 1 else 3.0)
                for index, fraction in enumerate(FRACTIONS)
            }
            write_fractions(root, run.id, seed, PAPER_K[run.paper_dataset][share], curve)


def curves(axes: Axes) -> dict[str, np.ndarray]:
    """Legend entry -> points (n, 2)."""
    handles, labels = axes.get_legend_handles_labels()
    return {
        label: np.asarray(handle.lines[0].get_xydata())
        for handle, label in zip(handles, labels, strict=True)
    }


def test_left_panel_has_the_fractions_of_each_k(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    left = draw(plan, "figure_6", tmp_path).figure.axes[0]
    drawn = curves(left)
    assert [*drawn] == [
        "100 %, k = 140: 60.0 %",
        "50 %, k = 70: 55.0 %",
        "25 %, k = 35: 50.0 %",
        "12.5 %, k = 18: 40.0 %",
    ]
    points = drawn["50 %, k = 70: 55.0 %"]
    np.testing.assert_allclose(points[:, 0], [1, 10, 25, 50, 100])
    np.testing.assert_allclose(points[:, 1], 100 * np.array([35, 40, 45, 50, 55]) / 55)
    assert left.get_title(loc="left") == "STL10, each k"


def test_centre_panel_has_the_largest_k_but_25_for_mnist(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    centre = draw(plan, "figure_6", tmp_path).figure.axes[1]
    assert [*curves(centre)] == [
        "STL10, k = 140: 60.0 %",
        "CIFAR10, k = 140: 62.0 %",
        "MNIST, k = 25: 70.0 %",
    ]


def test_right_panel_has_every_k(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    right = draw(plan, "figure_6", tmp_path).figure.axes[2]
    drawn = curves(right)
    assert [*drawn] == ["STL10: 60.0 %", "CIFAR10: 62.0 %", "MNIST: 80.0 %"]
    np.testing.assert_allclose(drawn["MNIST: 80.0 %"][:, 0], [12.5, 25, 50, 100])
    np.testing.assert_allclose(drawn["MNIST: 80.0 %"][:, 1], 100 * np.array([60, 70, 75, 80]) / 80)
    assert [label.get_text() for label in right.get_xticklabels()] == ["12.5", "25", "50", "100"]


def test_bars_join_the_spread_over_draws_and_over_seeds(tmp_path: Path) -> None:
    plan = figures_plan(seeds=(0, 1, 2))
    write_all(tmp_path, plan)
    left = draw(plan, "figure_6", tmp_path).figure.axes[0]
    handles, labels = left.get_legend_handles_labels()
    # mean over seeds 0, 1, 2 is seed 1's
    assert labels[0] == "100 %, k = 140: 62.0 %"
    (segments,) = (line.get_segments() for line in handles[0].lines[2])
    half = [(end[1] - start[1]) / 2 for start, end in segments]
    over_seeds, over_draws = 2.0, 3.0
    both = float(np.hypot(over_seeds, over_draws))
    np.testing.assert_allclose(half, 100 * np.array([both] * 4 + [over_seeds]) / 62, rtol=1e-6)


def test_stand_ins_are_labelled_and_runs_of_no_scale_are_absent(tmp_path: Path) -> None:
    without = ("mnist/iic_star-pct25", "stl10/iic_star-pct12_5", "stl10/iic_star-pct50")
    plan = figures_plan(stand_in=True, without=without)
    write_all(tmp_path, plan)
    drawn = draw(plan, "figure_6", tmp_path)
    assert [text.get_text() for text in drawn.figure.texts] == ["stand-in data"]
    left, centre, right = (curves(axes) for axes in drawn.figure.axes)
    assert [*left] == ["100 %, k = 140: 60.0 %", "25 %, k = 35: 50.0 %"]
    assert [*centre] == ["stl10_standin, k = 140: 60.0 %", "cifar10_standin, k = 140: 62.0 %"]
    assert len(right["stl10_standin: 60.0 %"]) == 2 and len(right) == 3
    real = figures_plan()
    write_all(tmp_path, real)
    assert not draw(real, "figure_6", tmp_path).figure.texts


def test_a_panel_without_runs_says_so(tmp_path: Path) -> None:
    plan = figures_plan(without=tuple(f"stl10/iic_star-pct{share}" for share in ACCURACY))
    write_all(tmp_path, plan)
    left, centre, _ = draw(plan, "figure_6", tmp_path).figure.axes
    assert [text.get_text() for text in left.texts] == ["no such run\nat this scale"]
    # a dataset keeps its colour when another is absent
    larger = figures_plan()
    write_all(tmp_path, larger)
    both = [centre, draw(larger, "figure_6", tmp_path).figure.axes[1]]
    colours = [
        dict(
            zip(("label", "colour"), (handle.get_label(), handle.lines[0].get_color()), strict=True)
        )
        for axes in both
        for handle in axes.get_legend_handles_labels()[0]
        if handle.get_label().startswith("CIFAR10")
    ]
    assert len(colours) == 2 and colours[0] == colours[1]


def test_sources_name_every_seed_of_every_curve(tmp_path: Path) -> None:
    plan = figures_plan(seeds=(0, 1))
    write_all(tmp_path, plan)
    series = {entry.name: entry for entry in draw(plan, "figure_6", tmp_path).sources.series}
    assert len(series) == 4 + 3 + 3
    left = series["left: 12.5 %, k = 18"]
    runs = "results/tiny/runs/stl10/iic_star-pct12_5"
    assert [seed.file.path for seed in left.seeds] == [
        f"{runs}/seed{seed}/evaluation.json" for seed in (0, 1)
    ]
    assert {seed.receipt.path for seed in left.seeds} == {
        f"{runs}/seed{seed}/evaluation.run.json" for seed in (0, 1)
    }
    assert len(series["right: MNIST"].seeds) == 2 * 4


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    first, second = (render(plan, "figure_6", tmp_path) for _ in range(2))
    assert first.svg == second.svg and first.png == second.png


def test_a_scale_without_any_run_says_so(tmp_path: Path) -> None:
    figure = figures_plan().figures["figure_6"]
    plan = figures_plan(without=figure.runs)
    with pytest.raises(
        FigureError, match=r"scale tiny has no run stl10/iic_star-pct100, .*\n  remedy: take"
    ):
        draw(plan, "figure_6", tmp_path)


def test_an_evaluation_without_fractions_names_file_key_and_remedy(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    write_fractions(tmp_path, "stl10/iic_star-pct50", 0, 70, {})
    with pytest.raises(
        FigureError,
        match=r"stl10/iic_star-pct50/seed0/evaluation.json: fractions: \[\]; .*\n  remedy: give "
        r"evaluation.label_fractions of the run, then `iic evaluate --dataset stl10 --scale tiny`",
    ):
        draw(plan, "figure_6", tmp_path)


def test_seeds_with_different_fractions_are_refused(tmp_path: Path) -> None:
    plan = figures_plan(seeds=(0, 1))
    write_all(tmp_path, plan)
    write_fractions(tmp_path, "stl10/iic_star-pct50", 1, 70, {1.0: (50.0, None)})
    with pytest.raises(FigureError, match=r"\[1.0\]; the same shares"):
        draw(plan, "figure_6", tmp_path)


def test_a_missing_evaluation_is_named(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    (tmp_path / RunPaths("tiny", "cifar10/iic_star-pct50", 0).evaluation).unlink()
    with pytest.raises(RecordError, match=r"cifar10/iic_star-pct50/seed0/evaluation.json: missing"):
        draw(plan, "figure_6", tmp_path)


def test_a_run_that_does_not_name_its_k_is_refused(tmp_path: Path) -> None:
    plan = figures_plan()
    write_all(tmp_path, plan)
    plan.figures["figure_6"] = Figure(
        title="", caption="", module="iic.publish.figures.overclustering", runs=("stl10/iic",)
    )
    with pytest.raises(FigureError, match=r"figures.figure_6.runs: stl10/iic .*\n  remedy: name"):
        draw(plan, "figure_6", tmp_path)


def test_the_figures_of_the_params_are_those_tested_here() -> None:
    from iic.params.experiments import Displays
    from iic.params.loading import read_yaml, validate
    from tests.publish.figure_helpers import MODULES

    file = Path(__file__).parents[2] / "params/figures.yaml"
    figures = validate(Displays, read_yaml(file), str(file)).figures
    for name, (module, runs) in MODULES.items():
        assert figures[name].module == f"iic.publish.figures.{module}"
        assert set(runs) <= set(figures[name].runs)
    datasets = ("stl10", "cifar10", "cifar100_20", "cifar100", "mnist")
    shares = ("100", "50", "25", "12_5")
    assert figures["figure_6"].runs == tuple(
        f"{dataset}/iic_star-pct{share}" for dataset in datasets for share in shares
    )
    assert figures["figure_6"].seeds == "all"
    assert figures["figure_6"].main == ("mnist/iic_star-pct25",)
