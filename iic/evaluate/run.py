"""The evaluation of one run from what it left on disk: assignments and receipt, no network."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.fractions import fraction_scores
from iic.evaluate.maps import Totals, map_protocol, map_scores
from iic.evaluate.protocol import Protocol, protocol
from iic.evaluate.selection import Checkpoint, evaluate, select
from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.records.assignments import Assignments, read_assignments
from iic.records.counts import read_counts
from iic.records.evaluation import CheckpointName, CheckpointScores, Evaluation
from iic.records.files import RecordError, read_record
from iic.records.outcome import CheckpointOutcome, TrainOutcome
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt


def evaluate_run(
    run: RunPaths, settings: EvaluationSettings, dataset: Dataset, root: Path = Path()
) -> Evaluation:
    """Score a run.

    Args:
        run: The run's files, relative to `root`.
        settings: Which images are scored, and how clusters become classes.
        dataset: The catalogue's entry of the run's dataset, for where the splits lie.
        root: Root of the clone.

    Raises:
        RecordError: Assignments or receipt are missing, damaged, or do not belong together.
        EvaluationError: The values cannot be scored, e.g. a loss that is not finite.
    """
    receipt = read_record(root / run.receipt, Receipt)
    try:
        outcome = TrainOutcome.model_validate(receipt.outcome, strict=False)
    except ValueError as error:
        raise RecordError(f"{run.receipt}: outcome: {error}") from None
    if dataset.maps is not None:
        return _evaluate_maps(run, settings, dataset, outcome, root)
    assignments = read_assignments(root / run.assignments)
    _check_checkpoints(run, assignments, outcome)
    checkpoints: dict[CheckpointName, Checkpoint] = {}
    for name, outcome_there in outcome.checkpoints.items():
        clusters = assignments[name].clusters.astype(np.int64)
        checkpoints[cast(CheckpointName, name)] = Checkpoint(
            outcome_there.epoch, clusters, _losses(outcome_there)
        )
    protocol = _protocol(run, settings, dataset, assignments["last"])
    evaluation = evaluate(
        checkpoints,
        protocol.labels,
        k_clusters=outcome.k_clusters,
        k_classes=outcome.k_classes,
        matching=protocol.matching,
        mapping_rows=protocol.mapping,
        scoring_rows=protocol.scoring,
    )
    if not settings.label_fractions:
        return evaluation
    fractions = fraction_scores(
        settings,
        protocol,
        {name: checkpoint.clusters for name, checkpoint in checkpoints.items()},
        evaluation.selections,
        k_clusters=outcome.k_clusters,
        k_classes=outcome.k_classes,
    )
    return evaluation.model_copy(update={"fractions": fractions})


def _evaluate_maps(
    run: RunPaths,
    settings: EvaluationSettings,
    dataset: Dataset,
    outcome: TrainOutcome,
    root: Path,
) -> Evaluation:
    """Score a segmentation from its counts of pixels."""
    counts = read_counts(root / run.assignments)
    _check_checkpoints(run, counts, outcome)
    images = map_protocol(protocol(settings, _splits(dataset), dataset.count, None))
    _check_images(run, images, counts["last"].indices)
    k_clusters, k_classes = outcome.k_clusters, outcome.k_classes
    scores: dict[CheckpointName, CheckpointScores] = {
        cast(CheckpointName, name): CheckpointScores(
            epoch=checkpoint.epoch,
            sub_heads=map_scores(
                counts[name].counts, _losses(checkpoint), images, k_clusters, k_classes
            ),
        )
        for name, checkpoint in outcome.checkpoints.items()
    }
    totals = Totals.of(counts["last"].counts, images, k_clusters, k_classes)
    return Evaluation(
        matching=images.matching,
        k_clusters=k_clusters,
        k_classes=k_classes,
        n_mapping=int(totals.mapping[0].sum()),
        n_scoring=int(totals.scoring[0].sum()),
        checkpoints=scores,
        selections=select(scores, images.matching),
    )


def _check_checkpoints(run: RunPaths, names: Collection[str], outcome: TrainOutcome) -> None:
    if set(names) != set(outcome.checkpoints):
        raise RecordError(
            f"{run.assignments}: has checkpoints {', '.join(sorted(names))}, but "
            f"{run.receipt} has {', '.join(sorted(outcome.checkpoints))}"
        )


def _losses(checkpoint: CheckpointOutcome) -> NDArray[np.float64] | None:
    return None if checkpoint.losses is None else np.asarray(checkpoint.losses, dtype=np.float64)


def _splits(dataset: Dataset) -> dict[str, slice]:
    """Where each split lies among the images."""
    stops = list(accumulate(dataset.splits.values()))
    return {
        name: slice(stop - count, stop)
        for (name, count), stop in zip(dataset.splits.items(), stops, strict=True)
    }


def _check_images(run: RunPaths, asked: Protocol, indices: NDArray[np.int64]) -> None:
    if not np.array_equal(asked.images, indices):
        raise RecordError(
            f"{run.assignments}: has {len(indices):,} images, but evaluation.mapping "
            f"and evaluation.test of the settings ask for {len(asked.images):,}: train again"
        )


def _protocol(
    run: RunPaths, settings: EvaluationSettings, dataset: Dataset, assignments: Assignments
) -> Protocol:
    """What the settings mean for the images that have assignments.

    Raises:
        RecordError: Images that the settings ask for have none.
    """
    labels = None
    if assignments.labels is not None:
        labels = np.full(dataset.count, -1, dtype=np.int64)
        labels[assignments.indices] = assignments.labels
    result = protocol(settings, _splits(dataset), dataset.count, labels)
    _check_images(run, result, assignments.indices)
    return result
