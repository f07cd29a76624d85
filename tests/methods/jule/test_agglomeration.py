"""The merging of clusters on a sparse graph, against plain loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iic.engine.clustering.neighbours import nearest
from iic.methods.jule.agglomeration import LOCAL_FROM, Agglomeration, chains, edges


def cloud(count: int, seed: int = 0, side: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, side)).astype(np.float32)


def graph_of(points: np.ndarray, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Dense weights, and the nearest neighbour of each point."""
    distances, neighbours = nearest(points, count)
    return edges(distances, neighbours).toarray(), neighbours[:, 0]


def walks(weights: np.ndarray, clusters: np.ndarray, i: int, j: int) -> float:
    """As the released code has it: over images of i, edges to j times edges from j."""
    total = 0.0
    for m in np.flatnonzero(clusters == i):
        members = np.flatnonzero(clusters == j)
        total += sum(weights[m, n] for n in members) * sum(weights[n, m] for n in members)
    return total


def affinity(weights: np.ndarray, clusters: np.ndarray, i: int, j: int) -> float:
    size = np.bincount(clusters)
    return float(
        walks(weights, clusters, i, j) / size[j] ** 2
        + walks(weights, clusters, j, i) / size[i] ** 2
    )


def test_edges_are_the_formula() -> None:
    points = cloud(40)
    distances, neighbours = nearest(points, 5)
    dense = edges(distances, neighbours).toarray()
    scale = np.square(distances).mean()
    for i in range(40):
        assert set(np.flatnonzero(dense[i])) == set(neighbours[i])
        for far, j in zip(distances[i], neighbours[i], strict=True):
            assert dense[i, j] == pytest.approx(np.exp(-(far**2) / scale))


def test_copies_alone_have_edges_of_weight_1() -> None:
    distances, neighbours = nearest(np.ones((8, 3), np.float32), 3)
    assert (edges(distances, neighbours).data == 1).all()


def test_first_clusters_hang_together_by_nearest_neighbours() -> None:
    # 0 -> 1 -> 2 <-> 3; 5 -> 4 <-> 6
    assert chains(np.array([1, 2, 3, 2, 6, 4, 4])).tolist() == [0, 0, 0, 0, 1, 1, 1]
    found = chains(graph_of(cloud(200))[1])
    assert np.bincount(found).min() >= 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 6))
def test_affinities_are_those_of_the_double_loop(seed: int, k: int) -> None:
    points = cloud(30, seed)
    clusters = np.random.default_rng(seed).permutation(np.arange(30) % k)
    distances, neighbours = nearest(points, 5)
    merging = Agglomeration(edges(distances, neighbours), clusters, points, 5)
    weights = edges(distances, neighbours).toarray()
    for i in range(k):
        for j in range(k):
            if i != j:
                wanted = affinity(weights, clusters, i, j)
                assert merging.affinity(i, j) == pytest.approx(wanted)


def plain_merging(weights: np.ndarray, clusters: np.ndarray, times: int, local: int) -> np.ndarray:
    """The released fast form on dense matrices, all affinities computed anew after each merging."""
    number = clusters.max() + 1
    sums = np.array(
        [
            [walks(weights, clusters, i, j) if i != j else 0.0 for j in range(number)]
            for i in range(number)
        ]
    )
    sizes = np.bincount(clusters).astype(float)
    groups = {i: np.flatnonzero(clusters == i) for i in range(number)}
    for _ in range(times):
        scores, pairs = [], []
        for i in groups:
            row = {
                j: sums[i, j] / sizes[j] ** 2 + sums[j, i] / sizes[i] ** 2 for j in groups if j != i
            }
            best = sorted(row.values(), reverse=True)
            score = best[0]
            if len(groups) > LOCAL_FROM:
                score += sum(best[0] - best[other] for other in range(1, local)) / (local - 1)
            scores.append(score)
            pairs.append((i, max(row, key=lambda j: row[j])))
        a, b = sorted(pairs[int(np.argmax(scores))])
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        sums[a, a] = 0
        sizes[a] += sizes[b]
        groups[a] = np.concatenate([groups[a], groups.pop(b)])
    found = np.empty(len(clusters), int)
    for number, members in enumerate(groups.values()):
        found[members] = number
    return found


def same_partition(first: np.ndarray, second: np.ndarray) -> bool:
    return (
        len({*zip(first.tolist(), second.tolist(), strict=True)})
        == len(set(first.tolist()))
        == len(set(second.tolist()))
    )


@pytest.mark.parametrize(("count", "times"), [(60, 12), (500, 60), (500, 25)])
def test_merging_is_that_of_dense_matrices(count: int, times: int) -> None:
    """With few clusters, and from more than 100 to fewer or not so far."""
    points = cloud(count, seed=count)
    distances, neighbours = nearest(points, 8)
    graph, clusters = edges(distances, neighbours), chains(neighbours[:, 0])
    assert (clusters.max() + 1 > LOCAL_FROM) == (count == 500)
    merging = Agglomeration(graph, clusters, points, 5)
    merging.merge(times)
    wanted = plain_merging(graph.toarray(), clusters, times, 5)
    assert same_partition(merging.clusters, wanted)
    assert merging.count == clusters.max() + 1 - times == merging.clusters.max() + 1


def pieces(sizes: list[int]) -> np.ndarray:
    """Groups of points far from each other, on a line."""
    parts = [cloud(size, seed=i) + 1000 * 2**i for i, size in enumerate(sizes)]
    return np.concatenate(parts)


def test_clusters_without_affinity_join_the_nearest() -> None:
    points = pieces([6, 6, 6])
    distances, neighbours = nearest(points, 3)
    clusters = np.repeat([0, 1, 2], 6)
    merging = Agglomeration(edges(distances, neighbours), clusters, points, 5)
    assert merging.affinity(0, 1) == merging.affinity(1, 2) == 0
    merging.join_isolated(1)  # too few clusters: nothing is done
    assert merging.count == 3
    merging.merge(1)
    # 1000 and 2000 are nearer to each other than 2000 and 4000
    assert merging.clusters.tolist() == [0] * 12 + [1] * 6


def test_isolated_clusters_of_many_are_merged_before_all_others() -> None:
    far = np.array([[500.0, 0, 0], [500.1, 0, 0]], np.float32)
    points = np.concatenate([cloud(300), far]).astype(np.float32)
    distances, neighbours = nearest(points, 1)
    clusters = chains(neighbours[:, 0])
    assert clusters[300] == clusters[301] and clusters.max() + 1 > 20 * 2
    merging = Agglomeration(edges(distances, neighbours), clusters, points, 5)
    # with one neighbour each, no cluster has an affinity to another
    assert not any(merging.affinity(0, j) for j in range(1, merging.count))
    merging.join_isolated(2)
    assert merging.count == 40 == merging.clusters.max() + 1
    merging.join_isolated(2)  # no more than many are merged: k is not passed
    assert merging.count == 40
