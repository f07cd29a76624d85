"""The shared k-means: that of the row "K-means", and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iic.engine.clustering import kmeans as shared
from iic.engine.clustering.kmeans import kmeans
from iic.methods import kmeans as row
from iic.params.errors import IICError
from tests.methods.methods_helpers import KMEANS, NUMBER, context, digits


def pixels() -> np.ndarray:
    return digits()[0].reshape(NUMBER, -1).astype(np.float32) / 255


def test_it_is_the_k_means_of_the_table_byte_by_byte(tmp_path: Path) -> None:
    for seed in (0, 5):
        outcome = row.train(context(tmp_path, row.Settings, KMEANS, seed))
        found = kmeans(pixels(), 10, seed=seed, restarts=2)
        assert found.clusters.dtype == outcome.last.clusters.dtype == np.uint8
        assert found.clusters.tobytes() == outcome.last.clusters[:, 0].tobytes()
        assert outcome.tensors is not None
        assert found.centres.tobytes() == outcome.tensors["centres"].tobytes()
        assert (found.inertia,) == outcome.last.losses


def test_seed_restarts_and_iterations_count() -> None:
    one, other = (kmeans(pixels(), 10, seed=seed, restarts=1) for seed in (0, 1))
    assert (one.clusters != other.clusters).any()
    best = kmeans(pixels(), 10, seed=0, restarts=20)
    stopped = kmeans(pixels(), 10, seed=0, restarts=1, max_iterations=1)
    assert best.inertia < one.inertia < stopped.inertia


def test_a_seed_that_scikit_learn_would_not_take() -> None:
    found = kmeans(pixels(), 10, seed=2**62 + 3)
    assert found.clusters.tobytes() == kmeans(pixels(), 10, seed=3).clusters.tobytes()


def test_a_cluster_fits_its_type() -> None:
    points = np.arange(300, dtype=np.float64)[:, None]
    assert kmeans(points, 256, seed=0, restarts=1).clusters.dtype == np.uint8
    found = kmeans(points, 300, seed=0, restarts=1)
    assert found.clusters.dtype == np.uint16 and len(set(found.clusters.tolist())) == 300
    assert found.centres.dtype == np.float64


@pytest.mark.parametrize(("threads", "used"), [(1, 1), (2, 2), (16, 2)])
def test_no_more_threads_than_give_the_same_sums(
    monkeypatch: pytest.MonkeyPatch, threads: int, used: int
) -> None:
    limits: list[int] = []
    real = shared.threadpool_limits

    def limit(number: int) -> Any:
        limits.append(number)
        return real(number)

    monkeypatch.setattr(shared, "threadpool_limits", limit)
    kmeans(pixels(), 2, seed=0, restarts=1, threads=threads)
    assert limits == [used]


def test_more_clusters_than_points_are_refused() -> None:
    with pytest.raises(IICError, match=re.escape("k-means: 121 clusters for 120 points")):
        kmeans(pixels(), NUMBER + 1, seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_points_that_are_no_numbers_are_counted(value: float) -> None:
    points = pixels()
    points[[3, 50], 7] = value
    with pytest.raises(IICError, match="2 of 120 points are NaN or infinite"):
        kmeans(points, 10, seed=0)
