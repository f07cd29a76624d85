"""The Python interface: scikit-learn's rules, images, vectors, pairs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from iic import IIC
from iic.evaluate.metrics import ari
from iic.own.errors import OwnDataError
from tests.own.pictures import folder, shapes

ONE_CLUSTER = "asks for one cluster, which is refused: it tells nothing apart"
NOT_APPLICABLE = {
    "check_dont_overwrite_parameters": ONE_CLUSTER,
    "check_methods_subset_invariance": ONE_CLUSTER,
    "check_fit2d_1sample": ONE_CLUSTER,
    "check_fit2d_1feature": ONE_CLUSTER,
    "check_fit1d": ONE_CLUSTER,
    "check_fit2d_predict1d": ONE_CLUSTER,
}
"""Checks of scikit-learn that do not apply, and why."""


@parametrize_with_checks(
    [IIC(3, epochs=40, sub_heads=4, threads=1)],
    expected_failed_checks=lambda estimator: NOT_APPLICABLE,
)
def test_scikit_learn_checks_that_apply(estimator: IIC, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def blobs(count: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return (10 * np.eye(3, 5)[labels] + draw.normal(size=(count, 5))), labels


def test_vectors_by_their_neighbours() -> None:
    points, labels = blobs()
    own = IIC(3, epochs=100, sub_heads=4, threads=1).fit(points)
    assert own.score(points, labels) > 0.9 and own.score(points) > 0.8
    fresh, their = blobs(seed=1)
    assert ari(own.predict(fresh), their) > 90
    proba = own.predict_proba(fresh)
    assert proba.shape == (90, 3) and np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(proba.argmax(axis=1), own.predict(fresh))
    assert own.transform(fresh).shape == (90, own.n_features_out_)
    alone = np.concatenate([own.predict_proba(row[None]) for row in fresh[:5]])
    assert np.allclose(alone, proba[:5], atol=1e-5)


def test_pairs_that_are_given_or_made() -> None:
    points, labels = blobs()
    draw = np.random.default_rng(2)
    partners = points + draw.normal(size=points.shape)
    given = IIC(3, epochs=100, sub_heads=4, threads=1).fit(points, partners)
    assert given.score(points, labels) > 0.9
    named = IIC(3, epochs=100, sub_heads=4, threads=1).fit(points, X_partner=partners)
    assert np.array_equal(named.labels_, given.labels_)
    seen = []

    def noisy(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        seen.append(rows.shape)
        return rows + generator.normal(size=rows.shape)

    made = IIC(3, epochs=60, partner=noisy, sub_heads=4, threads=1).fit(points)
    assert made.score(points, labels) > 0.9 and set(seen) == {(90, 5)}
    with pytest.raises(ValueError, match="X_partner"):
        IIC(3, epochs=1).fit(points, X_partner=partners[:4])
    with pytest.raises(OwnDataError, match="partner: gave"):
        IIC(3, epochs=1, partner=lambda rows, generator: rows[:, :1]).fit(points)


def test_images_as_arrays_tensors_paths_and_a_folder(tmp_path: Path) -> None:
    pixels, labels = shapes(40)
    own = IIC(2, epochs=12, sub_heads=3, threads=1)
    clusters = own.fit_predict(pixels)
    assert ari(clusters, labels) > 90
    assert np.array_equal(own.predict(torch.from_numpy(pixels)), clusters)
    assert np.array_equal(own.predict(pixels[..., None]), clusters)
    assert np.array_equal(own.predict(pixels[:, None]), clusters)
    again = pickle.loads(pickle.dumps(own))
    assert np.array_equal(again.predict_proba(pixels), own.predict_proba(pixels))
    same = clone(own).fit(pixels)
    assert np.array_equal(same.labels_, own.labels_)
    top = folder(tmp_path / "images", 40)
    paths = sorted(top.rglob("*.png"))
    assert np.array_equal(own.predict(top), own.predict(paths))
    assert own.transform(pixels[:3]).shape == (3, own.n_features_out_)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(OwnDataError, match="no image of a known format"):
        own.predict([tmp_path / "text.png"])


def test_in_a_pipeline() -> None:
    points, labels = blobs()
    pipeline = make_pipeline(StandardScaler(), IIC(3, epochs=60, sub_heads=3, threads=1))
    assert ari(pipeline.fit(points).predict(points), labels) > 90


@pytest.mark.parametrize("k", [0, 1, 91])
def test_numbers_of_clusters_that_cannot_be(k: int) -> None:
    with pytest.raises(OwnDataError, match=r"n_clusters"):
        IIC(k, epochs=1).fit(blobs()[0])


def test_images_take_no_partners() -> None:
    pixels = shapes(10)[0]
    with pytest.raises(OwnDataError, match="reshape"):
        IIC(2, epochs=1).fit(pixels, X_partner=pixels)


def test_a_fit_leaves_torch_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    IIC(3, epochs=1, sub_heads=2, threads=1).fit(blobs()[0])
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.equal(torch.get_rng_state(), state)
