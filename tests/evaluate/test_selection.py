from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from iic.evaluate.matching import EvaluationError
from iic.evaluate.metrics import ari, nmi
from iic.evaluate.selection import Checkpoint, evaluate
from iic.records.evaluation import Evaluation

LABELS = np.repeat(np.arange(4), 25)


def with_mistakes(*mistakes: int) -> NDArray[np.int64]:
    """One sub-head per argument; that many samples of class 0 sit in the cluster of class 1."""
    columns = []
    for count in mistakes:
        clusters = (LABELS + 2) % 4
        clusters[:count] = (1 + 2) % 4
        columns.append(clusters)
    return np.stack(columns, axis=1)


def checkpoint(epoch: int, mistakes: tuple[int, ...], losses: list[float] | None) -> Checkpoint:
    return Checkpoint(
        epoch=epoch,
        clusters=with_mistakes(*mistakes),
        losses=None if losses is None else np.array(losses),
    )


def run(**changes: Any) -> Evaluation:
    """At the best epoch the label-best sub-head is 0, the one of lowest loss 2; at the last, 1."""
    arguments: dict[str, Any] = {
        "checkpoints": {
            "last": checkpoint(9, (10, 8, 4), [-1.0, -1.3, -1.2]),
            "best_label": checkpoint(5, (1, 5, 3), [-1.0, -1.1, -1.2]),
        },
        "labels": LABELS,
        "k_clusters": 4,
        "k_classes": 4,
    }
    return evaluate(**(arguments | changes))


def test_four_selections_where_labels_and_loss_disagree() -> None:
    record = run()
    chosen = {
        name: (s.checkpoint, s.epoch, s.sub_head, s.acc)
        for name, s in record.selections.items()
        if s is not None
    }
    assert chosen == {
        "as_published": ("best_label", 5, 2, 97.0),
        "as_published_mean": ("best_label", 5, None, 97.0),
        "label_free": ("last", 9, 1, 92.0),
        "mean_head": ("last", 9, None, pytest.approx((90 + 92 + 96) / 3)),
    }
    best, last = np.std([99.0, 95.0, 97.0]), np.std([90.0, 92.0, 96.0])
    spread = [s.acc_std_heads for s in record.selections.values() if s is not None]
    assert spread == pytest.approx([best, best, last, last])


def test_nmi_and_ari_are_of_the_chosen_sub_head_or_the_mean() -> None:
    record = run()
    best, last = with_mistakes(1, 5, 3), with_mistakes(10, 8, 4)
    published, mean = record.selections["as_published"], record.selections["mean_head"]
    assert published is not None and mean is not None
    assert published.nmi == pytest.approx(nmi(best[:, 2], LABELS))
    assert published.ari == pytest.approx(ari(best[:, 2], LABELS))
    assert mean.nmi == pytest.approx(np.mean([nmi(last[:, i], LABELS) for i in range(3)]))
    assert mean.ari == pytest.approx(np.mean([ari(last[:, i], LABELS) for i in range(3)]))


def test_record_keeps_every_sub_head_and_round_trips() -> None:
    record = run()
    heads = record.checkpoints["best_label"].sub_heads
    assert [head.acc for head in heads] == [99.0, 95.0, 97.0]
    assert [head.loss for head in heads] == [-1.0, -1.1, -1.2]
    assert heads[0].mapping == [2, 3, 0, 1]
    assert (record.n_mapping, record.n_scoring) == (100, 100)
    assert Evaluation.model_validate_json(record.model_dump_json()) == record


def test_equal_losses_choose_the_first_sub_head() -> None:
    record = run(checkpoints={"last": checkpoint(1, (0, 3, 2, 1), [0.0, -1.0, -1.0, -1.0])})
    chosen = record.selections["label_free"]
    assert chosen is not None and chosen.sub_head == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"labels": None, "k_classes": None}, id="no labels"),
        pytest.param(
            {"checkpoints": {"last": checkpoint(9, (10, 8, 4), [-1.0, -1.3, -1.2])}},
            id="no best checkpoint",
        ),
    ],
)
def test_published_selections_need_labels_and_the_best_checkpoint(changes: dict[str, Any]) -> None:
    record = run(**changes)
    assert record.selections["as_published"] is None
    assert record.selections["as_published_mean"] is None
    chosen, mean = record.selections["label_free"], record.selections["mean_head"]
    assert chosen is not None and (chosen.sub_head, chosen.epoch) == (1, 9)
    assert mean is not None
    if "labels" in changes:
        for selection in (chosen, mean):
            assert selection.acc is selection.nmi is selection.ari is None
            assert selection.acc_std_heads is None
        assert record.k_classes is None
        assert all(head.mapping is None for head in record.checkpoints["last"].sub_heads)
    else:
        assert chosen.acc == 92.0


def test_mapping_on_one_split_scores_on_another() -> None:
    # clusters 0 and 1 swap their classes between the splits
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    clusters = np.array([0, 0, 1, 1, 1, 1, 0, 1])[:, None]
    record = evaluate(
        {"last": Checkpoint(epoch=1, clusters=clusters, losses=None)},
        labels,
        k_clusters=3,
        k_classes=2,
        matching="many_to_one",
        mapping_rows=np.arange(8) < 4,
        scoring_rows=np.arange(8) >= 4,
    )
    head = record.checkpoints["last"].sub_heads[0]
    assert head.mapping == [0, 1, 0]
    assert head.acc == 25.0
    assert head.nmi == pytest.approx(nmi(clusters[4:, 0], labels[4:]))
    assert (record.n_mapping, record.n_scoring) == (4, 4)


def test_overclustering_as_published_takes_the_sub_head_of_best_accuracy_on_the_mapping() -> None:
    """Which is neither the one of lowest loss nor the one that scores best."""
    labels = np.tile([0, 1], 8)
    mapped, scored = np.arange(16) < 8, np.arange(16) >= 8

    def of(wrong_in_mapping: int, wrong_in_scoring: int) -> NDArray[np.int64]:
        clusters = labels.copy()
        clusters[np.flatnonzero(mapped)[:wrong_in_mapping]] = 1 - labels[:wrong_in_mapping]
        clusters[np.flatnonzero(scored)[:wrong_in_scoring]] = 1 - labels[:wrong_in_scoring]
        return clusters

    clusters = np.stack([of(2, 1), of(1, 3), of(0, 2)], axis=1)
    point = Checkpoint(4, clusters, np.array([-3.0, -1.0, -2.0]))
    for matching, expected in {"many_to_one": 2, "one_to_one": 0}.items():
        record = evaluate(
            {"last": point, "best_label": point},
            labels,
            k_clusters=2,
            k_classes=2,
            matching=matching,  # type: ignore[arg-type]
            mapping_rows=mapped,
            scoring_rows=scored,
        )
        heads = record.checkpoints["best_label"].sub_heads
        assert [head.mapping_acc for head in heads] == [75.0, 87.5, 100.0]
        assert [head.acc for head in heads] == [87.5, 62.5, 75.0]
        published, free = record.selections["as_published"], record.selections["label_free"]
        assert published is not None and free is not None
        assert (published.sub_head, free.sub_head) == (expected, 0)


def test_a_method_without_losses_has_one_sub_head() -> None:
    record = run(checkpoints={"last": checkpoint(0, (7,), None)})
    chosen = record.selections["label_free"]
    assert chosen is not None and (chosen.sub_head, chosen.acc) == (0, 93.0)
    with pytest.raises(EvaluationError, match="3 sub-heads but no losses"):
        run(checkpoints={"last": checkpoint(0, (7, 8, 9), None)})


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("labels", [LABELS, None])
def test_non_finite_loss_is_an_error(loss: float, labels: NDArray[np.int64] | None) -> None:
    with pytest.raises(EvaluationError, match=r"checkpoint last \(epoch 3\).*sub-head 1 is"):
        run(checkpoints={"last": checkpoint(3, (0, 1), [-1.0, loss])}, labels=labels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"checkpoints": {"best_label": checkpoint(1, (0,), [0.0])}}, "'last' is missing"),
        ({"checkpoints": {"last": checkpoint(1, (0, 1), [0.0])}}, "losses have shape"),
        ({"labels": LABELS[:-1]}, "one label for each of the 100 samples"),
        ({"k_classes": None}, "number of classes"),
        ({"labels": LABELS - 1}, "checkpoint last: labels.*-1"),
        ({"k_clusters": 3}, "checkpoint last: clusters.*0 to 2"),
        ({"scoring_rows": np.arange(100)}, "scoring_rows: booleans"),
        ({"mapping_rows": np.zeros(100, bool)}, "no samples"),
        (
            {"checkpoints": {"last": Checkpoint(1, LABELS, np.zeros(1))}},
            r"clusters must be \(samples, sub-heads\)",
        ),
    ],
)
def test_bad_input_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        run(**changes)


def test_record_refuses_other_schemas_and_missing_selections() -> None:
    content = run().model_dump()
    with pytest.raises(ValidationError, match="schema_version"):
        Evaluation.model_validate(content | {"schema_version": 2})
    del content["selections"]["mean_head"]
    with pytest.raises(ValidationError, match="selections lack mean_head"):
        Evaluation.model_validate(content)
