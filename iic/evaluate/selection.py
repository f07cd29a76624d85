"""The four selections: which checkpoint and sub-head a reported number belongs to.

The paper picks the epoch by label accuracy and then, inside it, the sub-head: by lowest loss, but
for overclustering (IIC*) by accuracy on the labels that the mapping is made from. How much of a
number is due to these choices shows in the selections that use no labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iic.evaluate.matching import EvaluationError, Ints, contingency, match
from iic.evaluate.metrics import accuracy, ari, nmi
from iic.records.evaluation import (
    CheckpointName,
    CheckpointScores,
    Evaluation,
    Matching,
    Selection,
    SelectionName,
    SubHeadScores,
)

RULES: dict[SelectionName, tuple[CheckpointName, bool]] = {
    "as_published": ("best_label", True),
    "as_published_mean": ("best_label", False),
    "label_free": ("last", True),
    "mean_head": ("last", False),
}
"""Selection -> its checkpoint, and whether one sub-head is chosen (else the mean is taken)."""


@dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint of a run predicts."""

    epoch: int
    clusters: Ints
    """Cluster per sample and sub-head, integers (n, h)."""
    losses: NDArray[np.float64] | None
    """Loss per sub-head, (h,); None for a method without one, which then has one sub-head."""


def evaluate(
    checkpoints: Mapping[CheckpointName, Checkpoint],
    labels: ArrayLike | None,
    *,
    k_clusters: int,
    k_classes: int | None,
    matching: Matching = "one_to_one",
    mapping_rows: NDArray[np.bool_] | None = None,
    scoring_rows: NDArray[np.bool_] | None = None,
) -> Evaluation:
    """Score every sub-head of every checkpoint and apply the four selections.

    Args:
        checkpoints: ``last``, and ``best_label`` where labels were watched in training.
        labels: Class per sample, integers (n,); None where there are none.
        k_clusters: Number of clusters.
        k_classes: Number of classes; may be None without labels.
        matching: Hungarian, or each cluster to its most frequent class.
        mapping_rows: Samples to make the mapping from, booleans (n,); all by default.
        scoring_rows: Samples to score, booleans (n,); all by default.

    Returns:
        The content of ``evaluation.json``. Without labels the scores are null, and so are both
        ``as_published`` selections; these are also null without a ``best_label`` checkpoint.

    Raises:
        EvaluationError: A loss is not finite, ``last`` is missing, shapes do not agree, or
            values are out of range; the text names the checkpoint.
    """
    n = _samples(checkpoints)
    to_map = _rows("mapping_rows", mapping_rows, n)
    to_score = _rows("scoring_rows", scoring_rows, n)
    if labels is not None:
        labels = np.asarray(labels)
        if k_classes is None or labels.shape != (n,):
            raise EvaluationError(
                f"labels have shape {labels.shape} and {k_classes} classes: one label for each of "
                f"the {n} samples and the number of classes are needed"
            )
    apart = not np.array_equal(to_map, to_score)
    scores: dict[CheckpointName, CheckpointScores] = {}
    for name, checkpoint in checkpoints.items():
        losses = _losses(name, checkpoint)
        heads = []
        for clusters, loss in zip(checkpoint.clusters.T, losses, strict=True):
            if labels is None or k_classes is None:
                heads.append(SubHeadScores(acc=None, nmi=None, ari=None, loss=loss, mapping=None))
                continue
            try:
                counts = contingency(clusters[to_map], labels[to_map], k_clusters, k_classes)
                mapping = match(counts, matching)
                score = _score(clusters[to_score], labels[to_score], mapping, k_classes, loss)
                if apart:
                    score = score.model_copy(update={"mapping_acc": accuracy(counts, mapping)})
                heads.append(score)
            except EvaluationError as error:
                raise EvaluationError(f"checkpoint {name}: {error}") from None
        scores[name] = CheckpointScores(epoch=checkpoint.epoch, sub_heads=heads)
    return Evaluation(
        matching=matching,
        k_clusters=k_clusters,
        k_classes=k_classes if labels is not None else None,
        n_mapping=int(to_map.sum()),
        n_scoring=int(to_score.sum()),
        checkpoints=scores,
        selections=select(scores, matching),
    )


def select(
    checkpoints: Mapping[CheckpointName, CheckpointScores], matching: Matching = "one_to_one"
) -> dict[SelectionName, Selection | None]:
    """Apply the four selections to the scores of a run's checkpoints.

    Among sub-heads of equal loss, or accuracy on the mapping's labels, the first is chosen.

    Args:
        checkpoints: Scores by checkpoint.
        matching: Many-to-one is overclustering's, whose sub-head the released code picks by
            accuracy on the labels that the mapping is made from (docs/spec/images.md#evaluation).
    """
    selections: dict[SelectionName, Selection | None] = {}
    for selection, (name, chooses) in RULES.items():
        checkpoint = checkpoints.get(name)
        if checkpoint is None or (name == "best_label" and checkpoint.sub_heads[0].acc is None):
            selections[selection] = None
            continue
        heads = checkpoint.sub_heads
        chosen = None
        if chooses:
            by_labels = selection == "as_published" and matching == "many_to_one"
            chosen = _most_accurate(heads) if by_labels else _lowest_loss(heads)
        reported = heads if chosen is None else [heads[chosen]]
        selections[selection] = Selection(
            checkpoint=name,
            epoch=checkpoint.epoch,
            sub_head=chosen,
            acc=_mean([head.acc for head in reported]),
            nmi=_mean([head.nmi for head in reported]),
            ari=_mean([head.ari for head in reported]),
            acc_std_heads=_std([head.acc for head in heads]),
            miou=_mean([head.miou for head in reported]),
        )
    return selections


def _samples(checkpoints: Mapping[CheckpointName, Checkpoint]) -> int:
    if "last" not in checkpoints:
        raise EvaluationError("the checkpoint 'last' is missing: it is always evaluated")
    shapes = {name: checkpoint.clusters.shape for name, checkpoint in checkpoints.items()}
    if any(len(s) != 2 or 0 in s or s[0] != shapes["last"][0] for s in shapes.values()):
        raise EvaluationError(
            "clusters must be (samples, sub-heads), not empty and of the same samples at every "
            f"checkpoint, got {shapes}"
        )
    return len(checkpoints["last"].clusters)


def _lowest_loss(heads: list[SubHeadScores]) -> int:
    losses = [head.loss for head in heads if head.loss is not None]
    return losses.index(min(losses)) if losses else 0


def _most_accurate(heads: list[SubHeadScores]) -> int:
    on_mapping = [head.acc if head.mapping_acc is None else head.mapping_acc for head in heads]
    accuracies = [-1.0 if value is None else value for value in on_mapping]
    return accuracies.index(max(accuracies))


def _score(
    clusters: Ints, labels: Ints, mapping: Ints, k_classes: int, loss: float | None
) -> SubHeadScores:
    counts = contingency(clusters, labels, len(mapping), k_classes)
    return SubHeadScores(
        acc=accuracy(counts, mapping),
        nmi=nmi(clusters, labels),
        ari=ari(clusters, labels),
        loss=loss,
        mapping=mapping.tolist(),
    )


def _losses(name: str, checkpoint: Checkpoint) -> list[float] | list[None]:
    h = checkpoint.clusters.shape[1]
    if checkpoint.losses is None:
        if h != 1:
            raise EvaluationError(
                f"checkpoint {name}: {h} sub-heads but no losses to choose one of them by"
            )
        return [None]
    losses = np.asarray(checkpoint.losses, dtype=np.float64)
    if losses.shape != (h,):
        raise EvaluationError(
            f"checkpoint {name}: losses have shape {losses.shape} for {h} sub-heads"
        )
    for index, loss in enumerate(losses):
        if not np.isfinite(loss):
            raise EvaluationError(
                f"checkpoint {name} (epoch {checkpoint.epoch}): the loss of sub-head {index} is "
                f"{loss}; no sub-head can be chosen by loss"
            )
    chosen: list[float] = losses.tolist()
    return chosen


def _rows(name: str, rows: NDArray[np.bool_] | None, n: int) -> NDArray[np.bool_]:
    if rows is None:
        return np.ones(n, dtype=np.bool_)
    rows = np.asarray(rows)
    if rows.dtype != np.bool_ or rows.shape != (n,):
        raise EvaluationError(
            f"{name}: booleans of shape ({n},) are needed, got {rows.dtype} {rows.shape}"
        )
    return rows


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def _std(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.std(numbers)) if numbers else None
