"""Which images are mapped and scored, and what is watched in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iic.evaluate.fractions import fraction_scores
from iic.evaluate.protocol import Protocol, protocol
from iic.evaluate.selection import Checkpoint, evaluate
from iic.params.datasets import find_dataset
from iic.params.evaluation import EvaluationSettings

SPLITS = {"train": slice(0, 4), "unlabeled": slice(4, 7), "test": slice(7, 10)}
LABELS = np.array([0, 1, 0, 1, -1, -1, -1, 1, 1, 0])


def protocol_of(**settings: Any) -> Protocol:
    return protocol(EvaluationSettings(**settings), SPLITS, 10, LABELS)


def test_by_default_every_labelled_image_is_mapped_and_scored() -> None:
    rules = protocol_of()
    assert rules.images.tolist() == [0, 1, 2, 3, 7, 8, 9]
    assert rules.mapping.all() and rules.scoring.all()
    assert rules.labels is not None and rules.labels.tolist() == [0, 1, 0, 1, 1, 1, 0]


def test_mapping_and_test_splits_are_kept_apart() -> None:
    rules = protocol_of(mapping=("train",), test=("test",), matching="many_to_one")
    assert rules.images.tolist() == [0, 1, 2, 3, 7, 8, 9]
    assert rules.images[rules.mapping].tolist() == [0, 1, 2, 3]
    assert rules.images[rules.scoring].tolist() == [7, 8, 9]


def test_without_labels_all_images_of_the_splits_get_assignments() -> None:
    rules = protocol(EvaluationSettings(mapping=("train",), test=("test",)), SPLITS, 10, None)
    assert rules.images.tolist() == [0, 1, 2, 3, 7, 8, 9] and rules.labels is None
    assert len(protocol(EvaluationSettings(), SPLITS, 10, None).images) == 10


def test_watched_accuracy_maps_on_one_split_and_scores_the_other() -> None:
    rules = protocol_of(mapping=("train",), test=("test",), matching="many_to_one")
    # on the training images of the first sub-head clusters 0 and 2 are class 0, and 1 is class 1
    clusters = np.array([[0, 0], [1, 0], [2, 1], [1, 1], [1, 0], [0, 0], [1, 1]])
    watched = rules.watch(clusters, 3, 2)
    assert watched.scores[0] == pytest.approx(100 / 3)
    assert watched.chosen == 0
    assert watched.scores[1] == pytest.approx(100 / 3)  # ties in training go to class 0


def test_identity_matching_scores_classes_as_they_are() -> None:
    rules = protocol_of(mapping=("test",), test=("test",), matching="identity")
    assert rules.watch(np.array([[1], [0], [0]]), 2, 2).scores[0] == pytest.approx(200 / 3)


def make_settings(**changes: Any) -> EvaluationSettings:
    return EvaluationSettings(
        **{"matching": "many_to_one", "mapping": ("train",), "test": ("test",), **changes}
    )


def overclustered(number: int = 400, k: int = 20) -> tuple[Protocol, np.ndarray]:
    """Clusters that are pure in class, half of the images to map and half to score."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, number)
    clusters = np.stack([labels * 5 + draw.integers(0, 5, number) for _ in range(2)], axis=1)
    clusters[:, 1] = np.where(
        draw.random(number) < 0.3, draw.integers(0, k, number), clusters[:, 1]
    )
    half = {"train": slice(0, number // 2), "test": slice(number // 2, number)}
    return protocol(make_settings(), half, number, labels), clusters


def scores(fractions: tuple[float, ...], **changes: Any) -> list[Any]:
    rules, clusters = overclustered()
    evaluation = evaluate(
        {"last": Checkpoint(3, clusters, np.array([1.0, 2.0]))},
        rules.labels,
        k_clusters=20,
        k_classes=4,
        matching=rules.matching,
        mapping_rows=rules.mapping,
        scoring_rows=rules.scoring,
    )
    settings = make_settings(label_fractions=fractions, **changes)
    return [
        evaluation,
        fraction_scores(
            settings, rules, {"last": clusters}, evaluation.selections, k_clusters=20, k_classes=4
        ),
    ]


def test_all_labels_give_the_accuracy_itself() -> None:
    evaluation, (of_all,) = scores((1.0,))
    assert of_all.draws == 1 and of_all.labels == 200
    for name in ("label_free", "mean_head"):
        assert of_all.selections[name].acc == pytest.approx(evaluation.selections[name].acc)
        assert of_all.selections[name].acc_std is None
    assert of_all.selections["as_published"] is None


def test_fewer_labels_leave_clusters_without_class() -> None:
    _, series = scores((1.0, 0.5, 0.1, 0.03), label_draws=8)
    accuracies = [entry.selections["label_free"].acc for entry in series]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[-1] < accuracies[0] - 20
    assert [entry.labels for entry in series] == [200, 100, 20, 6]
    assert series[-1].selections["label_free"].acc_std > 0
    assert [entry.draws for entry in series] == [1, 8, 8, 8]


def test_draws_are_seeded_and_a_plain_recount_agrees() -> None:
    first, again = (scores((0.25,), label_draws=3)[1][0] for _ in range(2))
    assert first == again
    rules, clusters = overclustered()
    assert rules.labels is not None
    by_hand = []
    for draw in range(3):
        random = np.random.default_rng((20190402, 250000, draw))
        rows = random.choice(200, 50, replace=False)
        table = np.zeros((20, 4), int)
        for row in rows:
            table[clusters[row, 0], rules.labels[row]] += 1
        mapping = table.argmax(axis=1)
        by_hand.append(100 * np.mean(mapping[clusters[200:, 0]] == rules.labels[200:]))
    assert first.selections["label_free"].acc == pytest.approx(np.mean(by_hand))
    assert first.selections["label_free"].acc_std == pytest.approx(np.std(by_hand, ddof=1))


def test_balanced_draws_keep_every_class() -> None:
    _, (balanced,) = scores((0.02,), class_balanced=True)
    assert balanced.class_balanced and balanced.labels == 4


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"mapping": ("trian",)}, "evaluation.mapping"),
        ({"test": ("test", "test")}, "evaluation.test"),
        ({"label_fractions": (0.5,), "matching": "one_to_one"}, "evaluation.label_fractions"),
        ({"label_fractions": (1.0, 0.0001)}, "evaluation.label_fractions"),
    ],
)
def test_settings_that_no_dataset_fits(changes: dict[str, Any], key: str) -> None:
    problems = list(make_settings(**changes).problems(find_dataset("mnist")))
    assert [problem.key for problem in problems] == [key]
    assert not list(make_settings(label_fractions=(1.0, 0.01)).problems(find_dataset("mnist")))


def test_as_published_takes_another_sub_head_with_other_labels() -> None:
    rules, clusters = overclustered()
    point = Checkpoint(3, clusters, np.array([2.0, 1.0]))
    evaluation = evaluate(
        {"last": point, "best_label": point},
        rules.labels,
        k_clusters=20,
        k_classes=4,
        matching=rules.matching,
        mapping_rows=rules.mapping,
        scoring_rows=rules.scoring,
    )
    published, free = evaluation.selections["as_published"], evaluation.selections["label_free"]
    assert published is not None and free is not None
    assert (published.sub_head, free.sub_head) == (0, 1)  # pure clusters, lowest loss
    (half,) = fraction_scores(
        make_settings(label_fractions=(0.5,), label_draws=2),
        rules,
        {"last": clusters, "best_label": clusters},
        evaluation.selections,
        k_clusters=20,
        k_classes=4,
    )
    better, worse = half.selections["as_published"], half.selections["label_free"]
    assert better is not None and worse is not None and better.acc > worse.acc + 10
