from __future__ import annotations

import itertools
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iic.params.experiments import Figure
from iic.params.runs import Plan
from iic.publish.figures.saving import render
from iic.publish.figures.style import FigureError
from iic.publish.figures.sub_heads import draw, picked
from iic.records.evaluation import Evaluation
from iic.records.files import read_record, write_record
from iic.records.paths import RunPaths
from tests.publish.publish_helpers import make_plan, write_evaluation

SEEDS = {0: ([97.0, 84.0, 83.0], [-1.9, -1.8, -1.7]), 1: ([84.0, 97.0, 85.0], [-1.9, -1.8, -1.7])}


def plan(*runs: str) -> Plan:
    figure = Figure(
        title="sub-heads",
        caption="",
        module="iic.publish.figures.sub_heads",
        runs=("mnist/iic", "mnist/iic-fast"),
        seeds="all",
    )
    return make_plan(figures={"sub_head_odds": figure}, runs=dict.fromkeys(runs, tuple(SEEDS)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, (accuracies, losses) in SEEDS.items():
        write_evaluation(tmp_path, "mnist/iic", seed, accuracies, losses=losses)
    return tmp_path


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(0, 100)), min_size=1, max_size=7))
def test_what_is_picked_is_the_mean_over_all_choices(heads: list[tuple[int, float]]) -> None:
    losses, accuracies = [list(values) for values in zip(*heads, strict=True)]
    for m, value in enumerate(picked(losses, accuracies), start=1):
        chosen = itertools.combinations(range(len(heads)), m)
        plain = [accuracies[min(some, key=lambda i: losses[i])] for some in chosen]
        assert value == pytest.approx(statistics.fmean(plain), abs=1e-9)


def test_panels_show_every_sub_head_and_what_more_of_them_are_worth(root: Path) -> None:
    drawn = draw(plan("mnist/iic"), "sub_head_odds", root)
    left, right = drawn.figure.axes
    assert left.get_title(loc="left") == "mnist/iic: 2 trainings of 3 sub-heads"
    points = [np.asarray(dots.get_offsets()) for dots in left.collections]
    for seed, (accuracies, losses) in SEEDS.items():
        every, lowest = points[2 * seed : 2 * seed + 2]
        np.testing.assert_allclose(every, np.stack([losses, accuracies], axis=1))
        np.testing.assert_allclose(lowest, [[losses[0], accuracies[0]]])
    first, second, mean = (np.asarray(line.get_ydata(), float) for line in right.get_lines())
    np.testing.assert_allclose(first, [88, (97 + 97 + 84) / 3, 97])
    np.testing.assert_allclose(second, [266 / 3, (84 + 84 + 97) / 3, 84])
    np.testing.assert_allclose(mean, (first + second) / 2)
    assert [series.name for series in drawn.sources.series] == ["mnist/iic"]
    assert [source.seed for source in drawn.sources.series[0].seeds] == [0, 1]
    assert render(plan("mnist/iic"), "sub_head_odds", root).svg


def test_a_run_without_losses_is_refused(root: Path) -> None:
    path = root / RunPaths("tiny", "mnist/iic", 1).evaluation
    content = read_record(path, Evaluation).model_dump(mode="json")
    content["checkpoints"]["last"]["sub_heads"][2]["loss"] = None
    write_record(path, Evaluation.model_validate(content, strict=False))
    with pytest.raises(FigureError, match=r"seed1/evaluation.json.*sub_heads\.2\.loss: null"):
        draw(plan("mnist/iic"), "sub_head_odds", root)


def test_a_scale_without_the_runs_is_refused(root: Path) -> None:
    with pytest.raises(FigureError, match="scale tiny has no run mnist/iic, mnist/iic-fast"):
        draw(plan("mnist/kmeans"), "sub_head_odds", root)
