"""Support vector machines on features: what is fitted, chosen and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from iic.engine.machines import classified
from iic.params.classifiers import MachineSettings
from iic.params.errors import IICError, SettingsError
from iic.params.loading import validate


def clouds(count: int = 90) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three classes around three points of the plane."""
    draw = np.random.default_rng(0)
    labels = np.arange(count) % 3
    middles = np.array([[0, 0], [4, 0], [0, 4]])
    return middles[labels] + draw.normal(size=(count, 2)), labels


def fitted(settings: MachineSettings, points: Any, labels: Any, others: Any) -> Any:
    return classified(points, labels, others, settings, seed=1, threads=1, name="stl10/x seed 1")


def test_a_linear_machine_has_a_plane_for_each_class() -> None:
    points, labels = clouds()
    others = np.random.default_rng(1).normal(size=(50, 2)) * 4
    found = fitted(MachineSettings(kernel="linear"), points, labels, others)
    machine = LinearSVC(max_iter=10_000, random_state=1).fit(points, labels)
    planes = others @ machine.coef_.T + machine.intercept_
    assert machine.coef_.shape == (3, 2)
    assert (found == planes.argmax(axis=1)).all()


def test_standardised_features_do_not_depend_on_their_units() -> None:
    points, labels = clouds()
    settings = MachineSettings(kernel="linear", standardised=True)
    found = fitted(settings, points, labels, points)
    stretched = points * [1e-3, 1e3] + [5, 7]
    assert (found == fitted(settings, stretched, labels, stretched)).all()
    assert (found == labels).mean() > 0.9


def test_the_penalty_is_chosen_on_the_labelled_points_alone() -> None:
    points, labels = clouds()
    noisy = labels.copy()
    noisy[::4] = (noisy[::4] + 1) % 3
    several = MachineSettings(penalties=(1e-4, 1.0, 1e4))
    found = fitted(several, points, noisy, points)
    by_penalty = {
        penalty: fitted(MachineSettings(penalties=(penalty,)), points, noisy, points)
        for penalty in several.penalties
    }
    chosen = [penalty for penalty, other in by_penalty.items() if (other == found).all()]
    assert chosen == [1.0]
    assert (found == labels).mean() > (by_penalty[1e4] == labels).mean()


@pytest.mark.parametrize(
    ("labels", "settings", "says"),
    [
        (np.zeros(6, np.int64), {}, "splits: all 6 labelled images are of class 0: name splits"),
        (
            np.array([0, 0, 0, 1, 1, 1]),
            {"penalties": [0.1, 1.0]},
            "machine.parts: 5 parts, but class 0 has 3 labelled images: take 3 parts",
        ),
    ],
)
def test_too_few_labels_are_refused(labels: Any, settings: dict[str, Any], says: str) -> None:
    own = validate(MachineSettings, settings, "tests", "machine")
    with pytest.raises(IICError, match=says):
        fitted(own, np.arange(12.0).reshape(6, 2), labels, np.zeros((1, 2)))


def test_features_that_are_not_finite_are_refused() -> None:
    points, labels = clouds()
    points[3, 1] = np.nan
    with pytest.raises(IICError, match="stl10/x seed 1: features are NaN or infinite"):
        fitted(MachineSettings(), points, labels, points)


def test_penalties_ascend() -> None:
    with pytest.raises(SettingsError, match=r"penalties: \[1.0, 0.1\] must ascend"):
        validate(MachineSettings, {"penalties": [1.0, 0.1]}, "tests", "machine")
