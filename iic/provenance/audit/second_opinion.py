"""The committed scores once more, by other code: from the parquet files to accuracy, NMI and ARI.

Nothing of `iic.evaluate` is used, so that a fault or a forgery there is not believed twice. Counts
are scikit-learn's, the matching is SciPy's, and the rest is written here from the definitions
(Hubert and Arabie 1985 for ARI; NMI by the arithmetic mean of the entropies).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.records import arrow
from iic.records.paths import RunPaths

TOLERANCE = 1e-6
"""Percentage points: the same numbers are summed in another order."""
HEAD = "sub_head_"
Counts = NDArray[np.int64]


class SecondOpinion:
    """Scores every run of a tree again."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.scored = 0

    def check(self) -> Iterator[Finding]:
        """Scores of an evaluation that a second computation does not give."""
        for job, _ in self.tree.present:
            if job.rule != "evaluate":
                continue
            names = job.wildcards
            run = RunPaths(names["scale"], names["run"], int(names["seed"]))
            if not all(self.tree.exists(str(file)) for file in (run.evaluation, run.assignments)):
                continue  # said by the check of integrity
            chosen = self.tree.plan.run(names["run"])
            dataset = self.tree.plan.datasets[chosen.dataset]
            try:
                different = list(
                    disagreements(
                        json.loads((self.tree.root / run.evaluation).read_bytes()),
                        self.tree.root / run.assignments,
                        chosen.settings.evaluation,
                        dataset,
                    )
                )
            except (OSError, pa.ArrowException, ValueError, TypeError, LookupError):
                continue  # said by the checks of schemas and metrics
            self.scored += 1
            if different:
                yield Finding(
                    level="failure",
                    kind="metrics",
                    path=str(run.evaluation),
                    message="a second computation from the assignments gives other scores: "
                    + "; ".join(different[:3]),
                    remedy=f"see that iic/evaluate is as it was committed, delete it and run: "
                    f"iic run --scale {self.tree.scale} {run.evaluation}",
                )


def disagreements(
    evaluation: Mapping[str, Any],
    assignments: Path,
    settings: EvaluationSettings,
    dataset: Dataset,
) -> Iterator[str]:
    """Where scores differ from those of the assignments, in words.

    Args:
        evaluation: Content of ``evaluation.json``.
        assignments: The parquet file beside it.
        settings: Which splits are matched and scored.
        dataset: Where the splits lie among the images.

    Raises:
        OSError: The parquet file cannot be read.
        LookupError, ValueError, TypeError, pa.ArrowException: Either is not of its format.
    """
    table = arrow.read(assignments)
    numbers, names = arrow.words(table["checkpoint"])
    indices = arrow.values(table["index"])
    stops = list(accumulate(dataset.splits.values()))
    places = {
        name: (indices >= stop - count) & (indices < stop)
        for (name, count), stop in zip(dataset.splits.items(), stops, strict=True)
    }
    shape = evaluation["k_clusters"], evaluation["k_classes"]
    labels, known = None, np.ones(len(indices), dtype=bool)
    if dataset.maps is None:
        if table["label"].null_count == table.num_rows:
            return  # no labels, no scores
        labels = arrow.values(table["label"].fill_null(-1))
        known = labels >= 0
    mapping, scoring = (
        (np.any([places[name] for name in chosen], axis=0) if chosen else known) & known
        for chosen in (settings.mapping, settings.test)
    )
    for name, checkpoint in evaluation["checkpoints"].items():
        own = numbers == names.index(name)
        to_map, to_score = (np.flatnonzero(rows & own) for rows in (mapping, scoring))
        for head, written in enumerate(checkpoint["sub_heads"]):
            column = table[f"{HEAD}{head}"]
            scored = _counts(column, labels, to_score, shape)
            same = np.array_equal(to_map, to_score)
            mapped = scored if same else _counts(column, labels, to_map, shape)
            again = scores(mapped, scored, evaluation["matching"], pairs=labels is not None)
            yield from _different(written, again, f"{name}, sub-head {head}: ")
    for name, selection in evaluation["selections"].items():
        if selection is not None:
            heads = evaluation["checkpoints"][selection["checkpoint"]]["sub_heads"]
            head = selection["sub_head"]
            chosen = heads if head is None else [heads[head]]
            keys = [key for key in ("acc", "nmi", "ari") if chosen[0][key] is not None]
            means = {key: math.fsum(one[key] for one in chosen) / len(chosen) for key in keys}
            yield from _different(selection, means, f"{name}: ")


def scores(mapped: Counts, scored: Counts, matching: str, *, pairs: bool) -> dict[str, float]:
    """Accuracy, NMI and ARI in percent.

    Args:
        mapped: (k_clusters, k_classes) counts that clusters are matched to classes by.
        scored: Counts of what is scored, of the same shape.
        matching: ``one_to_one``, ``many_to_one`` or ``identity``.
        pairs: Whether to compute NMI and ARI, too.
    """
    from scipy.optimize import linear_sum_assignment

    if matching == "one_to_one":
        clusters, classes = linear_sum_assignment(-mapped)
    elif matching == "many_to_one":
        clusters, classes = np.arange(len(mapped)), mapped.argmax(axis=1)
    else:
        clusters = classes = np.arange(min(mapped.shape))
    total = int(scored.sum())
    again = {"acc": 100 * int(scored[clusters, classes].sum()) / total}
    if pairs:
        again |= {"nmi": 100 * _nmi(scored), "ari": 100 * _ari(scored)}
    return again


def _nmi(counts: Counts) -> float:
    joint = counts / counts.sum()
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    information = float((joint[filled] * np.log(joint[filled] / outer[filled])).sum())
    entropies = [
        -float((part[part > 0] * np.log(part[part > 0])).sum())
        for part in (joint.sum(axis=0), joint.sum(axis=1))
    ]
    if max(entropies) == 0:
        return 1.0
    return max(information, 0.0) / (sum(entropies) / 2)


def _ari(counts: Counts) -> float:
    def pairs(numbers: Counts) -> int:
        return sum(number * (number - 1) // 2 for number in numbers.ravel().tolist())

    both, rows, columns = pairs(counts), pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    every = pairs(counts.sum(keepdims=True))
    expected = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _counts(
    column: pa.ChunkedArray,
    labels: NDArray[Any] | None,
    rows: NDArray[np.intp],
    shape: tuple[int, int],
) -> Counts:
    """How often each cluster meets each class, in the rows."""
    from sklearn.metrics.cluster import contingency_matrix

    if labels is None:  # label maps: each row has counts already
        flat = arrow.values(column.combine_chunks().flatten())
        total: Counts = flat.reshape(-1, *shape)[rows].sum(axis=0, dtype=np.int64)
        return total
    clusters, classes = arrow.values(column)[rows], labels[rows]
    counts = np.zeros(shape, dtype=np.int64)
    seen = np.ix_(np.unique(clusters), np.unique(classes))
    counts[seen] = contingency_matrix(clusters, classes)
    return counts


def _different(
    written: Mapping[str, Any], again: Mapping[str, float], location: str
) -> Iterator[str]:
    for key, value in again.items():
        said = written[key]
        if not isinstance(said, int | float) or not abs(said - value) <= TOLERANCE:
            yield f"{location}{key} {said} written, {value:.6f} computed"
