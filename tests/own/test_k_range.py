"""An unknown k: each is fitted, and the recommendation has its rivals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from iic.own.choice import Wishes
from iic.own.errors import OwnDataError
from iic.own.k_range import Candidate, candidate, fit_range, parse, recommendation
from iic.own.model import FitRequest, OwnModel
from iic.own.rivals import silhouette
from tests.own.pictures import folder

FEATURES = Wishes(epochs=60, threads=1, sub_heads=4)


def of(k: int, low: float, high: float, filled: int | None = None, **changes: float) -> Candidate:
    own = Candidate(k, (low + high) / 2, low, high, low, 0.02, 0.9, 0.1 * k, 0.05, filled or k)
    return own._replace(**changes)


@pytest.mark.parametrize(
    ("text", "ks"), [("10", [10]), ("2..4", [2, 3, 4]), ("auto", list(range(2, 13)))]
)
def test_what_may_be_asked(text: str, ks: list[int]) -> None:
    assert list(parse(text)) == ks


@pytest.mark.parametrize("text", ["", "ten", "4..2", "1..4", "3..3", "2..1000", "-3", "2.5"])
def test_what_may_not_be_asked(text: str) -> None:
    with pytest.raises(OwnDataError, match="--k"):
        parse(text)


def test_each_k_is_fitted_and_the_true_one_recommended(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", 90, kinds=3)
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    np.save(tmp_path / "a.npy", 10 * np.eye(3, 6)[labels] + draw.normal(size=(90, 6)))
    request = FitRequest(
        source=str(source), k=2, minutes=3, wishes=FEATURES, features=str(tmp_path / "a.npy")
    )
    said = fit_range(request, range(2, 4), tmp_path / "models", live=False)
    assert "By silhouette k 3 (of k-means' clusters k 3)" in said.text
    table = pd.read_csv(tmp_path / "models" / "k.csv")
    assert list(table["k"]) == [2, 3]
    assert table["stability"].idxmax() == 1 and table["stability"][1] > 0.99
    model = OwnModel(tmp_path / "models" / "k03")
    assert candidate(model).filled == 3 and len(model.receipt.stability.pairs) == 3
    assert model.receipt.stability.halves > 0.99 and table["halves"][1] > 0.99
    assert (model.folder / "report.html").exists()
    again = fit_range(request, range(2, 4), tmp_path / "models", live=False)
    assert again == said
    with pytest.raises(OwnDataError, match="90 different images cannot fill 91"):
        fit_range(request, range(2, 92), tmp_path / "other", live=False)
    assert not list((tmp_path / "other").rglob("*"))


def test_a_recommendation_has_its_rivals_and_its_doubt() -> None:
    clear = recommendation([of(2, 0.3, 0.4), of(3, 0.8, 0.9), of(4, 0.2, 0.5)])
    assert clear.k == 3 and "By silhouette k 4" in clear.text
    close = recommendation([of(2, 0.3, 0.4), of(3, 0.7, 0.9), of(4, 0.6, 0.8), of(5, 0.2, 0.3)])
    assert close.k == 3 and "not told apart from 4" in close.text
    same = recommendation([of(2, 0.5, 0.9), of(3, 0.5, 0.9), of(4, 0.5, 0.9)])
    assert same.k is None and same.text.startswith("No single k: 2, 3, 4 are not told apart")
    noise = recommendation([of(2, 0.0, 0.05), of(3, 0.0, 0.06)])
    assert noise.k is None and noise.text.startswith("No single k: none is stable")
    # seeds agree on these very images, trainings on other ones do not
    overfitted = of(2, 0.7, 0.9, halves=0.01)
    assert recommendation([overfitted]).text.startswith("No single k: none is stable")
    assert recommendation([overfitted, of(3, 0.4, 0.5)]).k == 3
    empty = recommendation([of(3, 0.9, 1.0, filled=2)])
    assert empty.k is None and empty.text.startswith("No single k: each leaves")


def test_silhouettes_by_hand() -> None:
    points = np.concatenate([np.zeros((9, 3)), np.ones((9, 3))])
    halves = np.repeat([0, 1], 9)
    assert silhouette(points, halves) == pytest.approx(1)
    assert silhouette(points, np.tile([0, 1], 9)) < 0
    assert silhouette(points, np.zeros(18, dtype=np.int64)) == 0
