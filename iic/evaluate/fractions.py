"""Overclustering with fewer labels (Figure 6; supplement, Table 4).

Many-to-one mappings are made from random shares of the labels, and always scored on the whole test
set.

The released code made one unseeded draw a fraction. Here each fraction has several, the same for
every run on a dataset, so that runs are compared on the same labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.matching import Ints, contingency, match
from iic.evaluate.metrics import accuracy
from iic.evaluate.protocol import Protocol
from iic.params.evaluation import EvaluationSettings
from iic.records.evaluation import (
    CheckpointName,
    FractionScores,
    FractionSelection,
    Selection,
    SelectionName,
)

DRAW = 20190402
"""Seed of all draws of labels."""


def fraction_scores(
    settings: EvaluationSettings,
    protocol: Protocol,
    clusters: Mapping[CheckpointName, Ints],
    selections: Mapping[SelectionName, Selection | None],
    *,
    k_clusters: int,
    k_classes: int,
) -> list[FractionScores]:
    """Score the selections again with every share of the labels that `settings` ask for.

    Args:
        settings: Fractions, draws, and whether these are balanced.
        protocol: Images to map and to score, with labels.
        clusters: Cluster per image and sub-head (n, h), by checkpoint.
        selections: Which checkpoint and sub-head each selection reports. Only `as_published` is
            chosen anew in each draw: its sub-head has the best accuracy on the labels drawn.
        k_clusters: Number of clusters.
        k_classes: Number of classes.
    """
    labels = protocol.labels
    if labels is None:
        return []
    to_map = np.flatnonzero(protocol.mapping)
    scored = {
        name: contingency(
            assigned[protocol.scoring], labels[protocol.scoring], k_clusters, k_classes
        )
        for name, assigned in clusters.items()
    }
    result = []
    for fraction in settings.label_fractions:
        draws = [
            to_map[rows]
            for rows in _draws(labels[to_map], fraction, settings.label_draws, settings)
        ]
        # checkpoint -> accuracy by draw, sub-head, and on the test images or the labels drawn
        scores = {
            name: np.array(
                [
                    _scores(clusters[name][rows], labels[rows], of_checkpoint, protocol)
                    for rows in draws
                ]
            )
            for name, of_checkpoint in scored.items()
        }
        result.append(
            FractionScores(
                fraction=fraction,
                labels=len(draws[0]),
                draws=len(draws),
                class_balanced=settings.class_balanced,
                selections={
                    name: _selected(selection, scores, anew=name == "as_published")
                    for name, selection in selections.items()
                },
            )
        )
    return result


def _draws(
    labels: Ints, fraction: float, number: int, settings: EvaluationSettings
) -> list[NDArray[np.intp]]:
    """Positions of the labels that are kept, for each draw; all of them for the fraction 1."""
    if fraction == 1:
        return [np.arange(len(labels))]
    result = []
    for draw in range(number):
        random = np.random.default_rng((DRAW, round(fraction * 1e6), draw))
        if settings.class_balanced:
            parts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
            kept = [
                random.choice(part, max(1, int(len(part) * fraction)), replace=False)
                for part in parts
            ]
            result.append(np.sort(np.concatenate(kept)))
        else:
            kept_number = int(len(labels) * fraction)
            result.append(np.sort(random.choice(len(labels), kept_number, replace=False)))
    return result


def _scores(clusters: Ints, labels: Ints, scored: Ints, protocol: Protocol) -> NDArray[np.float64]:
    """Accuracies in percent with the mapping made from these labels, (h, 2).

    First on the images to score, whose counts are `scored`, then on these labels themselves.
    """
    _, k_clusters, k_classes = scored.shape
    seen = contingency(clusters, labels, k_clusters, k_classes)
    mappings = [match(of_head, protocol.matching) for of_head in seen]
    return np.array(
        [
            [accuracy(of_head, mapping) for of_head in pair]
            for *pair, mapping in zip(scored, seen, mappings, strict=True)
        ]
    )


def _selected(
    selection: Selection | None, scores: Mapping[CheckpointName, NDArray[np.float64]], *, anew: bool
) -> FractionSelection | None:
    if selection is None:
        return None
    by_draw, on_drawn = np.moveaxis(scores[selection.checkpoint], 2, 0)
    if selection.sub_head is None:
        values = by_draw.mean(axis=1)
    elif anew:
        values = by_draw[np.arange(len(by_draw)), on_drawn.argmax(axis=1)]
    else:
        values = by_draw[:, selection.sub_head]
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    return FractionSelection(acc=float(values.mean()), acc_std=std)
