"""The graph of nearest neighbours and its eigenvectors, against plain formulas."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import block_diag, csr_array

from iic.engine.clustering import neighbours as searches
from iic.engine.clustering.neighbours import nearest
from iic.methods.spectral import graph as neighbour_graph
from iic.methods.spectral.graph import affinity, embedding
from iic.params.errors import IICError

ROOT = Path(__file__).resolve().parents[2]
Q = 9


def cloud(count: int, seed: int = 0, side: int = 12) -> np.ndarray:
    """Points of whole numbers, (count, side)."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (count, side)).astype(np.float32)


def graph_of(points: np.ndarray, count: int = Q) -> tuple[csr_array, np.ndarray]:
    distances, neighbours = nearest(points, count)
    return affinity(distances, neighbours), neighbours


def plain_affinity(points: np.ndarray, count: int) -> np.ndarray:
    """The formula over all pairs, cut down to edges of neighbours."""
    wide = points.astype(np.float64)
    far = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(2))
    np.fill_diagonal(far, np.inf)
    order = np.sort(far, axis=1)
    near = far <= order[:, count - 1 : count]
    scale = order[:, 6]
    weights = np.exp(-(far**2) / (scale[:, None] * scale[None]))
    return np.where(near | near.T, weights, 0)


def normalised(weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights.sum(1))
    return weights / root[:, None] / root[None]


@pytest.mark.parametrize("block", [7, 64, 10_000])
def test_neighbours_are_exact_and_never_oneself(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(searches, "BLOCK", block)
    points = cloud(150)
    distances, neighbours = nearest(points, Q)
    far = ((points[:, None].astype(np.int64) - points[None].astype(np.int64)) ** 2).sum(2)
    np.fill_diagonal(far, np.iinfo(np.int64).max)
    closest = np.sort(far, axis=1)[:, :Q]
    # of whole numbers: the neighbours are the nearest and not nearly so, distances are in float32
    np.testing.assert_array_equal(np.take_along_axis(far, neighbours, 1), closest)
    np.testing.assert_allclose(distances, np.sqrt(closest), rtol=1e-7)
    assert (neighbours != np.arange(150)[:, None]).all()


def test_a_point_with_many_copies_has_them_as_neighbours() -> None:
    points = np.vstack([cloud(40), np.full((30, 12), 128)]).astype(np.float32)
    distances, neighbours = nearest(points, Q)
    assert (distances[40:] == 0).all() and (neighbours[40:] >= 40).all()
    assert (neighbours != np.arange(70)[:, None]).all()
    assert all(len(set(line)) == Q for line in neighbours.tolist())


def test_too_few_points_are_refused() -> None:
    with pytest.raises(IICError, match="9 neighbours of each of 9 images"):
        nearest(cloud(9), 9)


def test_affinity_is_the_formula_on_edges_of_neighbours() -> None:
    points = cloud(120)
    graph, _ = graph_of(points)
    dense = graph.toarray()
    np.testing.assert_allclose(dense, plain_affinity(points, Q), rtol=1e-6)
    assert (dense == dense.T).all() and (dense.diagonal() == 0).all()
    # some are neighbours in one direction only, and are kept
    assert graph.nnz > 120 * Q


def test_copies_belong_together_and_to_nothing_else() -> None:
    """Their local scale is 0; no division makes a NaN of it."""
    points = np.vstack([cloud(40), np.full((8, 12), 128)]).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        graph, _ = graph_of(points)
    dense = graph.toarray()
    assert np.isfinite(dense).all()
    np.testing.assert_array_equal(dense[40:, 40:], 1 - np.eye(8))
    assert not dense[40:, :40].any() and (graph.data > 0).all()


@pytest.mark.parametrize("count", [120, 700], ids=["as a full matrix", "by Lanczos"])
def test_rows_are_of_the_leading_eigenvectors(count: int) -> None:
    assert (count > neighbour_graph.DENSE) == (count == 700)
    points = cloud(count)
    graph, neighbours = graph_of(points)
    rows, values = embedding(graph, neighbours, 4, 0, "test")
    wanted, vectors = np.linalg.eigh(normalised(graph.toarray()))
    np.testing.assert_allclose(values, wanted[::-1][:4], atol=1e-9)
    assert values[0] == pytest.approx(1)
    exact = vectors[:, ::-1][:, :4]
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    # eigenvectors have no sign of their own, products of rows do not depend on it
    np.testing.assert_allclose(rows @ rows.T, exact @ exact.T, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)


def test_the_same_seed_gives_the_same_bytes() -> None:
    graph, neighbours = graph_of(cloud(700))
    first, again, other = (embedding(graph, neighbours, 4, seed, "test") for seed in (3, 3, 4))
    assert first[0].tobytes() == again[0].tobytes() and first[1].tobytes() == again[1].tobytes()
    assert first[0].tobytes() != other[0].tobytes()


@pytest.mark.parametrize("k", [3, 5])
def test_each_piece_gets_its_own_direction(k: int, caplog: pytest.LogCaptureFixture) -> None:
    """Which one Lanczos iteration over all would miss: the eigenvalue 1 is there three times."""
    sizes = (600, 90, 520)
    parts = [graph_of(cloud(size, seed)) for seed, size in enumerate(sizes)]
    graph = csr_array(block_diag([part for part, _ in parts], format="csr"))
    starts = np.cumsum((0, *sizes[:-1]))
    neighbours = np.vstack(
        [of_part + start for (_, of_part), start in zip(parts, starts, strict=True)]
    )
    with caplog.at_level(logging.INFO):
        rows, values = embedding(graph, neighbours, k, 0, "digits/spectral seed 0")
    assert "digits/spectral seed 0: the graph has 3 pieces, the largest of 600" in caplog.text
    np.testing.assert_allclose(values[:3], 1)
    every = np.concatenate([np.linalg.eigvalsh(normalised(part.toarray())) for part, _ in parts])
    np.testing.assert_allclose(values, np.sort(every)[::-1][:k], atol=1e-9)
    piece = np.repeat(np.arange(3), sizes)
    across = np.abs(rows @ rows.T)[piece[:, None] != piece[None]]
    assert across.max() < 1e-12
    if k == 3:
        same = (rows @ rows.T)[piece[:, None] == piece[None]]
        np.testing.assert_allclose(same, 1)


def test_more_pieces_than_clusters_are_refused() -> None:
    points = np.vstack([cloud(40) / 16 + shift for shift in (0, 10_000, 20_000)])
    graph, neighbours = graph_of(points.astype(np.float32))
    with pytest.raises(IICError, match=r"x: the graph falls into 3 pieces, .* how 2 clusters"):
        embedding(graph, neighbours, 2, 0, "x")
    rows, _ = embedding(graph, neighbours, 3, 0, "x")
    np.testing.assert_allclose(np.abs(rows).sum(0), [40, 40, 40])


def test_a_point_whose_edges_vanish_takes_its_neighbours_row() -> None:
    graph, neighbours = graph_of(cloud(60))
    dense = graph.toarray()
    for point in (5, 6):
        dense[point] *= 1e-25
        dense[:, point] *= 1e-25
    neighbours[5, :2] = 6, 17  # the nearest has no edges either
    neighbours[6] = 5
    rows, _ = embedding(csr_array(dense), neighbours, 4, 0, "test")
    np.testing.assert_array_equal(rows[5], rows[17])
    np.testing.assert_array_equal(rows[6], 0)
    others = np.setdiff1d(np.arange(60), (5, 6))
    alone, _ = embedding(csr_array(dense[np.ix_(others, others)]), neighbours[others], 4, 0, "test")
    np.testing.assert_allclose(rows[others] @ rows[others].T, alone @ alone.T, atol=1e-9)


def test_a_point_with_edges_to_vanishing_points_alone_has_none() -> None:
    """Its own sum is just above the threshold; without the others nothing of it is left."""
    graph, neighbours = graph_of(cloud(60))
    dense = np.zeros((64, 64))
    dense[:60, :60] = graph.toarray()
    largest = dense.sum(1).max()
    for point in (61, 62, 63):
        dense[60, point] = dense[point, 60] = 0.9 * neighbour_graph.VANISHING * largest
    neighbours = np.vstack([neighbours, np.tile(np.arange(60, 60 - Q, -1) - 1, (4, 1))])
    rows, values = embedding(csr_array(dense), neighbours, 3, 0, "test")
    assert np.isfinite(rows).all() and np.isfinite(values).all()
    np.testing.assert_array_equal(rows[60:], rows[[59]].repeat(4, axis=0))


def test_eigenvectors_that_are_not_found_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, neighbours = graph_of(cloud(700))
    real = neighbour_graph.eigsh
    monkeypatch.setattr(
        neighbour_graph, "eigsh", lambda *given, **more: real(*given, **more, maxiter=1, ncv=5)
    )
    with pytest.raises(IICError, match=r"x: the eigenvectors of the graph are not found"):
        embedding(graph, neighbours, 4, 0, "x")


def test_neither_needs_torch() -> None:
    code = (
        "import sys, iic.engine.clustering.kmeans, iic.methods.spectral.graph, iic.engine.context\n"
        "print({'torch', 'torchvision'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"
