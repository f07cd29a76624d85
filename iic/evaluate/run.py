"""The evaluation of one run from what it left on disk: assignments and receipt, no network."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import cast

import numpy as np

from iic.evaluate.fractions import fraction_scores
from iic.evaluate.protocol import Protocol, protocol
from iic.evaluate.selection import Checkpoint, evaluate
from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.records.assignments import Assignments, read_assignments
from iic.records.evaluation import CheckpointName, Evaluation
from iic.records.files import RecordError, read_record
from iic.records.outcome import TrainOutcome
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
    assignments = read_assignments(root / run.assignments)
    if set(assignments) != set(outcome.checkpoints):
        raise RecordError(
            f"{run.assignments}: has checkpoints {', '.join(sorted(assignments))}, but "
            f"{run.receipt} has {', '.join(sorted(outcome.checkpoints))}"
        )
    checkpoints: dict[CheckpointName, Checkpoint] = {}
    for name, found in outcome.checkpoints.items():
        losses = None if found.losses is None else np.asarray(found.losses, dtype=np.float64)
        clusters = assignments[name].clusters.astype(np.int64)
        checkpoints[cast(CheckpointName, name)] = Checkpoint(found.epoch, clusters, losses)
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


def _protocol(
    run: RunPaths, settings: EvaluationSettings, dataset: Dataset, assignments: Assignments
) -> Protocol:
    """What the settings mean for the images that have assignments.

    Raises:
        RecordError: Images that the settings ask for have none.
    """
    stops = list(accumulate(dataset.splits.values()))
    splits = {
        name: slice(stop - count, stop)
        for (name, count), stop in zip(dataset.splits.items(), stops, strict=True)
    }
    labels = None
    if assignments.labels is not None:
        labels = np.full(dataset.count, -1, dtype=np.int64)
        labels[assignments.indices] = assignments.labels
    wanted = protocol(settings, splits, dataset.count, labels)
    if not np.array_equal(wanted.images, assignments.indices):
        raise RecordError(
            f"{run.assignments}: has {len(assignments.indices):,} images, but evaluation.mapping "
            f"and evaluation.test of the settings ask for {len(wanted.images):,}: train again"
        )
    return wanted
