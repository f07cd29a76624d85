from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy
from sklearn.metrics import confusion_matrix, mutual_info_score, rand_score

from iic.evaluate.matching import contingency, one_to_one
from iic.evaluate.metrics import accuracy, accuracy_per_sub_head, ari, nmi

Ints = NDArray[np.int64]


def pairs(counts: Ints) -> float:
    return float((counts * (counts - 1) / 2).sum())


def draw(seed: int, n: int, h: int, k: int, classes: int) -> tuple[Ints, Ints]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    noise = rng.integers(0, k, (n, h))
    clusters = np.where(rng.random((n, h)) < 0.5, labels[:, None] % k, noise)
    return clusters, labels


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), n=st.integers(2, 80), k=st.integers(2, 6), c=st.integers(2, 6))
def test_against_scikit_learn(seed: int, n: int, k: int, c: int) -> None:
    clusters, labels = draw(seed, n, 1, k, c)
    counts = contingency(clusters, labels, k, c)[0]
    square = confusion_matrix(clusters[:, 0], labels, labels=range(max(k, c)))
    assert np.array_equal(counts, square[:k, :c])
    mean_entropy = (entropy(counts.sum(0)) + entropy(counts.sum(1))) / 2
    if mean_entropy > 0:
        expected = 100 * mutual_info_score(labels, clusters[:, 0]) / mean_entropy
        assert nmi(clusters[:, 0], labels) == pytest.approx(expected, abs=1e-9)
    # Hubert and Arabie's formula from the pair counts
    a, b = pairs(counts.sum(0)), pairs(counts.sum(1))
    total, both = n * (n - 1) / 2, pairs(counts)
    chance = a * b / total
    if (a + b) / 2 != chance:
        expected = 100 * (both - chance) / ((a + b) / 2 - chance)
        assert ari(clusters[:, 0], labels) == pytest.approx(expected, abs=1e-9)


def test_percent_and_relabelling() -> None:
    labels = np.repeat([0, 1, 2], 5)
    renamed = (labels + 1) % 3
    assert nmi(renamed, labels) == pytest.approx(100)
    assert ari(renamed, labels) == pytest.approx(100)
    assert rand_score(labels, renamed) == 1
    assert accuracy_per_sub_head(renamed, labels, 3, 3).tolist() == [100.0]
    counts = contingency(renamed, labels, 3, 3)
    assert accuracy(counts, np.array([0, 1, 2])) == 0
    assert accuracy(counts, one_to_one(counts)) == 100
    # one cluster for all: the share of the largest class
    assert (
        accuracy_per_sub_head(np.zeros((15, 2), int), labels, 3, 3).tolist()
        == [pytest.approx(100 / 3)] * 2
    )
    assert nmi(np.zeros(15, int), labels) == 0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 60), h=st.integers(1, 5))
def test_accuracy_per_sub_head_scores_each_head_alone(seed: int, n: int, h: int) -> None:
    clusters, labels = draw(seed, n, h, 4, 4)
    scores = accuracy_per_sub_head(clusters, labels, 4, 4)
    assert scores.shape == (h,)
    for head in range(h):
        mapping = one_to_one(contingency(clusters[:, head], labels, 4, 4))
        assert scores[head] == pytest.approx(100 * np.mean(mapping[clusters[:, head]] == labels))


def test_overclustering_is_scored_many_to_one() -> None:
    labels = np.repeat(np.arange(3), 20)
    clusters = (labels * 4 + np.arange(60) % 4)[:, None]
    assert accuracy_per_sub_head(clusters, labels, 12, 3, "many_to_one").tolist() == [100.0]
    assert accuracy_per_sub_head(clusters, labels, 12, 3).tolist() == [25.0]


def test_training_watches_accuracy_without_scikit_learn_or_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from iic.evaluate.metrics import accuracy_per_sub_head\n"
        "import iic.evaluate.selection\n"
        "assert accuracy_per_sub_head(np.array([[0], [1]]), np.array([1, 0]), 2, 2) == [100.0]\n"
        "loaded = {'sklearn', 'torch', 'pandas', 'torchvision'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
