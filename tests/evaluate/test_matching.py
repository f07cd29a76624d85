from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iic.evaluate.matching import (
    UNMATCHED,
    EvaluationError,
    contingency,
    correct,
    many_to_one,
    one_to_one,
)


def counts_of(seed: int, rows: int, columns: int, highest: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, highest + 1, (rows, columns))


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    highest=st.integers(0, 9),
)
def test_one_to_one_is_the_best_of_all_permutations(
    seed: int, rows: int, columns: int, highest: int
) -> None:
    counts = counts_of(seed, rows, columns, highest)
    side = max(rows, columns)
    square = np.zeros((side, side), dtype=np.int64)
    square[:rows, :columns] = counts
    best = max(square[np.arange(side), list(p)].sum() for p in permutations(range(side)))
    mapping = one_to_one(counts)
    assert correct(counts, mapping) == best
    matched = mapping[mapping != UNMATCHED]
    assert len(set(matched)) == len(matched) == min(rows, columns)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 6), columns=st.integers(1, 4))
def test_many_to_one_is_the_best_mapping_and_the_first_on_ties(
    seed: int, rows: int, columns: int
) -> None:
    counts = counts_of(seed, rows, columns, 3)
    mapping = many_to_one(counts)
    for row, chosen in zip(counts.tolist(), mapping.tolist(), strict=True):
        assert chosen == row.index(max(row))
    assert correct(counts, mapping) == counts.max(axis=1).sum()
    assert correct(counts, mapping) >= correct(counts, one_to_one(counts))


def test_empty_cluster_goes_to_class_0() -> None:
    assert many_to_one(np.array([[0, 0, 0], [1, 4, 4], [0, 0, 2]])).tolist() == [0, 1, 2]


def test_more_clusters_than_classes() -> None:
    clusters, labels = np.array([0, 0, 1, 2, 2, 3]), np.array([1, 1, 1, 0, 0, 0])
    counts = contingency(clusters, labels, 4, 2)
    assert counts.tolist() == [[0, 2], [0, 1], [2, 0], [1, 0]]
    assert many_to_one(counts).tolist() == [1, 1, 0, 0]
    assert correct(counts, many_to_one(counts)) == 6
    # one-to-one leaves the two smaller clusters over
    assert one_to_one(counts).tolist() == [1, UNMATCHED, 0, UNMATCHED]
    assert correct(counts, one_to_one(counts)) == 4


def test_mapping_and_scoring_may_use_different_samples() -> None:
    mapping = many_to_one(contingency([0, 0, 0, 1], [1, 1, 0, 0], 3, 2))
    scored = contingency([0, 1, 1, 2], [1, 1, 0, 0], 3, 2)
    # cluster 2 was not seen when the mapping was made, and class 0 happens to be right
    assert mapping.tolist() == [1, 0, 0]
    assert correct(scored, mapping) == 3


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 60), h=st.integers(1, 4))
def test_contingency_counts_every_sub_head(seed: int, n: int, h: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 5, (n, h)).astype(np.uint8)
    labels = rng.integers(0, 3, n).astype(np.uint8)
    counts = contingency(clusters, labels, 5, 3)
    assert counts.shape == (h, 5, 3) and counts.dtype == np.int64
    for head in range(h):
        for c in range(5):
            for label in range(3):
                expected = sum((clusters[:, head] == c) & (labels == label))
                assert counts[head, c, label] == expected
    assert np.array_equal(contingency(clusters[:, 0], labels, 5, 3), counts[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_any_integers_are_counted(dtype: type) -> None:
    clusters = np.full((3, 4), 199, dtype=dtype)
    assert contingency(clusters, np.array([9, 9, 9], dtype=dtype), 200, 10)[3, 199, 9] == 3


@pytest.mark.parametrize(
    ("clusters", "labels", "says"),
    [
        ([0, 1], [0, -1], "labels.*-1.*leave samples without label out"),
        ([0, 1], [0, 2], "labels.*0 to 1"),
        ([0, 3], [0, 1], "clusters.*0 to 2"),
        ([-1, 1], [0, 1], "clusters.*-1"),
        ([0, 1, 2], [0, 1], "do not go with"),
        ([0, 1], [[0], [1]], "do not go with"),
        ([], [], "no samples"),
        ([0.0, 1.0], [0, 1], "integers are needed"),
        ([0, 1], [0.0, float("nan")], "integers are needed"),
    ],
)
def test_bad_input_is_named(clusters: list[float], labels: list[float], says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        contingency(clusters, labels, 3, 2)
