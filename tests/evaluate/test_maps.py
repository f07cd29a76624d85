"""Scores of a segmentation against sums over single pixels."""

from __future__ import annotations

import numpy as np
import pytest

from iic.evaluate.maps import MapProtocol, class_scores, map_protocol, map_scores
from iic.evaluate.matching import EvaluationError
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.evaluate.protocol import protocol
from iic.params.evaluation import EvaluationSettings

IMAGES, SIDE, K, CLASSES = 6, 9, 5, 3


def pixels(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters (n, h, side, side) that depend on the truth (n, side, side), -1 where unscored."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(-1, CLASSES, (IMAGES, SIDE, SIDE))
    noise = draw.integers(0, K, (IMAGES, 2, SIDE, SIDE))
    return np.where(draw.random(noise.shape) < 0.6, truth.clip(0)[:, None], noise), truth


def counted(clusters: np.ndarray, truth: np.ndarray) -> np.ndarray:
    counts = np.zeros((IMAGES, 2, K, CLASSES), np.int32)
    for image, row, column in zip(*np.nonzero(truth >= 0), strict=True):
        for head in range(2):
            counts[image, head, clusters[image, head, row, column], truth[image, row, column]] += 1
    return counts


def of(matching: str, mapping: tuple[str, ...] = (), test: tuple[str, ...] = ()) -> MapProtocol:
    settings = EvaluationSettings(matching=matching, mapping=mapping, test=test)  # type: ignore[arg-type]
    splits = {"train": slice(0, 4), "val": slice(4, 6)}
    return map_protocol(protocol(settings, splits, IMAGES, None))


@pytest.mark.parametrize("matching", ["one_to_one", "many_to_one"])
def test_accuracy_is_that_of_all_pixels(matching: str) -> None:
    clusters, truth = pixels()
    flat = clusters.transpose(0, 2, 3, 1)[truth >= 0]
    expected = accuracy_per_sub_head(flat, truth[truth >= 0], K, CLASSES, matching)  # type: ignore[arg-type]
    scores = map_scores(counted(clusters, truth), None, of(matching), K, CLASSES)
    assert [head.acc for head in scores] == pytest.approx(expected)
    watched = of(matching).watch(counted(clusters, truth), K, CLASSES)
    assert watched.scores == pytest.approx(expected) and watched.chosen == int(expected.argmax())
    assert [head.mapping_acc for head in scores] == [None, None]


def test_mapping_and_scoring_on_different_images() -> None:
    clusters, truth = pixels(1)
    scores = map_scores(
        counted(clusters, truth),
        np.array([1.0, -1.0]),
        of("many_to_one", ("train",), ("val",)),
        K,
        CLASSES,
    )
    for head, score in enumerate(scores):
        table = counted(clusters, truth)[:4, head].sum(0)
        to_class = table.argmax(1)
        assert score.mapping == to_class.tolist()
        classes, there = to_class[clusters[4:, head]], truth[4:]
        assert score.acc == pytest.approx(100 * (classes == there)[there >= 0].mean())
        assert score.mapping_acc != score.acc
        assert score.loss == (1.0, -1.0)[head]


def test_intersection_over_union_of_each_class() -> None:
    clusters, truth = pixels(2)
    scores = map_scores(counted(clusters, truth), None, of("one_to_one"), K, CLASSES)
    for head, score in enumerate(scores):
        assert score.mapping is not None and score.classes is not None
        assigned = np.array(score.mapping)[clusters[:, head]]
        scored = truth >= 0
        for label, of_class in enumerate(score.classes):
            both = ((assigned == label) & (truth == label)).sum()
            either = (((assigned == label) | (truth == label)) & scored).sum()
            assert of_class.iou == pytest.approx(100 * both / either)
            assert of_class.acc == pytest.approx(100 * both / (truth == label).sum())
        unions = [of_class.iou for of_class in score.classes]
        assert score.miou == pytest.approx(np.mean(unions))


def test_a_class_that_is_nowhere_counts_for_nothing() -> None:
    counts = np.array([[5, 1, 0], [2, 4, 0]])
    classes = class_scores(counts, np.array([0, 1]))
    assert [entry.iou for entry in classes] == pytest.approx([100 * 5 / 8, 100 * 4 / 7, None])
    assert classes[2].acc is None


def test_unmatched_clusters_are_wrong_everywhere() -> None:
    counts = np.array([[5, 0], [0, 4], [3, 3]])
    classes = class_scores(counts, np.array([0, 1, -1]))
    assert [entry.iou for entry in classes] == pytest.approx([100 * 5 / 8, 100 * 4 / 7])


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"expected .* 6 images, 5 clusters and 3 classes"):
        map_scores(np.zeros((6, 1, 5, 4), np.int32), None, of("one_to_one"), K, CLASSES)
    with pytest.raises(EvaluationError, match="not one labelled pixel"):
        map_scores(np.zeros((6, 1, 5, 3), np.int32), None, of("one_to_one"), K, CLASSES)
