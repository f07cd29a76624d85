"""k-means and whitening of points that come in chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from iic.engine.clustering.kmeans import kmeans
from iic.engine.clustering.streamed import streamed_kmeans
from iic.engine.clustering.whitening import fit_whitening
from iic.params.errors import IICError


def blobs(count: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 3]], np.float32)
    points = centres[draw.integers(0, 3, count)] + draw.normal(0, 0.5, (count, 3))
    return points.astype(np.float32)


def chunks(points: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(points), size):
        yield points[start : start + size]


def test_few_points_are_clustered_as_by_kmeans_to_the_last_bit() -> None:
    points = blobs(500)
    streamed = streamed_kmeans(chunks(points, 70), 3, name="r", seed=4)
    at_once = kmeans(points, 3, seed=4, restarts=3)
    assert streamed.centres.tobytes() == at_once.centres.tobytes()
    assert (streamed.inertia, streamed.points) == (at_once.inertia, 500)
    assert (streamed.assign(points) == at_once.clusters).all()


def test_later_points_move_the_centres_to_the_mean_of_all() -> None:
    points = blobs(20_000)
    streamed = streamed_kmeans(chunks(points, 333), 3, name="r", seed=0, first_points=200)
    at_once = kmeans(points, 3, seed=0)
    assert streamed.points == 20_000
    distance = np.linalg.norm(streamed.centres[:, None] - at_once.centres[None], axis=2).min(1)
    early = kmeans(points[:200], 3, seed=0)
    before = np.linalg.norm(early.centres[:, None] - at_once.centres[None], axis=2).min(1)
    # the blobs lie apart, so that a point's centre never changes: a running mean is then exact
    assert distance.max() < 1e-4 < before.max()
    assert streamed.inertia == pytest.approx(at_once.inertia, rel=0.02)


def test_the_same_arguments_give_the_same_bytes() -> None:
    points = blobs(4000, seed=2)
    first, other = (
        streamed_kmeans(chunks(points, 90), 5, name="r", seed=1, first_points=150) for _ in range(2)
    )
    assert first.centres.tobytes() == other.centres.tobytes()


def test_no_more_than_the_first_points_and_a_chunk_are_held() -> None:
    import tracemalloc

    def endless(number: int) -> Iterator[np.ndarray]:
        for index in range(number):
            yield np.random.default_rng(index).normal(size=(1000, 64)).astype(np.float32)

    peaks = []
    for number in (5, 80):
        tracemalloc.start()
        streamed_kmeans(endless(number), 4, name="r", seed=0, first_points=2000, restarts=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 80 * 1000 * 64 * 4


@pytest.mark.parametrize(
    ("points", "k", "said"),
    [
        (np.zeros((3, 2), np.float32), 4, "3 points for 4 clusters"),
        (np.full((9, 2), np.nan, np.float32), 2, "NaN or infinite"),
    ],
)
def test_what_cannot_be_clustered_is_refused(points: np.ndarray, k: int, said: str) -> None:
    with pytest.raises(IICError, match=said):
        streamed_kmeans(chunks(points, 2), k, name="r", seed=0)


def test_a_late_nan_and_an_empty_stream_are_refused() -> None:
    points = blobs(300)
    points[250, 1] = np.inf
    with pytest.raises(IICError, match="r: a point to be clustered is NaN or infinite"):
        streamed_kmeans(chunks(points, 50), 3, name="r", seed=0, first_points=100)
    with pytest.raises(IICError, match="0 points for 3 clusters"):
        streamed_kmeans(iter(()), 3, name="r", seed=0)
    with pytest.raises(IICError, match="r: no features"):
        fit_whitening(iter(()), 3, "r")


def test_whitening_is_pca_of_all_chunks() -> None:
    from sklearn.decomposition import PCA

    draw = np.random.default_rng(0)
    features = (draw.normal(size=(900, 12)) @ draw.normal(size=(12, 12)) + 1000).astype(np.float32)
    whitening = fit_whitening(chunks(features, 77), 5, "r")
    ours = (features - whitening.mean) @ whitening.projection
    theirs = PCA(5, whiten=True).fit_transform(features.astype(np.float64))
    # up to the sign of each direction, n - 1 in place of n, and the ridge
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.abs(ours * signs - theirs).max() < 0.02
    assert np.linalg.norm(whitening(features), axis=1) == pytest.approx(1, abs=1e-5)


def test_whitening_leaves_dead_units_alone() -> None:
    features = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    features[:, 2] = 3.0
    whitening = fit_whitening(iter([features]), 6, "r")
    assert np.isfinite(whitening.projection).all()
    assert np.abs(whitening(features)).max() <= 1
