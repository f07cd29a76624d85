from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iic.params.experiments import Figure
from iic.params.runs import Plan
from iic.publish.confusions import Errors, hardest
from iic.publish.figures import confusions
from iic.publish.figures.confusions import draw
from iic.publish.figures.predictions import load_predictions
from iic.publish.figures.style import FigureError
from tests.publish.figure_helpers import CLASSES
from tests.publish.publish_helpers import make_plan


def with_figure(plan: Plan, *runs: str) -> Plan:
    figure = Figure(
        title="confusions",
        caption="",
        module="iic.publish.figures.confusions",
        runs=runs,
        seeds="all",
    )
    return replace(plan, figures={**plan.figures, "confusions": figure})


def test_every_confusion_is_counted_and_the_largest_are_named(root: Path, plan: Plan) -> None:
    expected = load_predictions(plan, "figure_1", root)
    wrong = ~expected.right
    _, counts = np.unique(
        np.stack([expected.labels[wrong], expected.predicted[wrong]]), axis=1, return_counts=True
    )
    drawn = draw(with_figure(plan, "stl10/iic"), "confusions", root)
    texts = [text.get_text() for text in drawn.figure.axes[0].texts]
    line = f"iic, seed 0: {expected.accuracy:.2f} %, {int(wrong.sum())} errors"
    assert line in texts
    # one bar for each of three confusions, one for all others
    *bars, rest = drawn.figure.axes[0].patches
    assert len(bars) == 3
    widths = np.array([bar.get_width() for bar in bars])
    largest = np.sort(counts)[::-1][:3]
    np.testing.assert_allclose(widths / widths.sum(), largest / largest.sum())
    np.testing.assert_allclose(
        widths.sum() / (widths.sum() + rest.get_width()), largest.sum() / wrong.sum()
    )
    errors = np.bincount(expected.labels[wrong], minlength=len(CLASSES))
    named = CLASSES[int(errors.argmax())]
    assert f"{named}, in every training taken for something else ({errors.max()})" in texts
    recognised = int(np.sum(expected.right & (expected.labels == errors.argmax())))
    assert f"{named}, in every training recognised ({recognised})" in texts
    shown = drawn.figure.axes[0].images
    assert len(shown) == errors.max() + recognised
    assert [source.seed for source in drawn.sources.series[0].seeds] == [0, 0]


def test_runs_of_two_datasets_are_refused(root: Path, plan: Plan) -> None:
    with pytest.raises(FigureError, match=r"runs of cifar10, stl10.*\n.*remedy: runs of one"):
        draw(with_figure(plan, "stl10/iic", "cifar10/iic_star-pct100"), "confusions", root)


def test_a_scale_without_the_runs_is_refused(root: Path) -> None:
    with pytest.raises(FigureError, match="scale tiny has no run stl10/iic"):
        draw(with_figure(make_plan(), "stl10/iic"), "confusions", root)


def test_without_an_error_there_is_nothing_to_show(
    root: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.arange(5)
    assert hardest([Errors(labels, labels)]) is None
    assert hardest([Errors(labels, np.array([0, 2, 2, 1, 4]))]) == 1
    monkeypatch.setattr(confusions, "hardest", lambda every: None)
    with pytest.raises(FigureError, match=r"nothing is taken .*\n.*remedy: take confusions out"):
        draw(with_figure(plan, "stl10/iic"), "confusions", root)
