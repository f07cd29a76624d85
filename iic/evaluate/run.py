"""The evaluation of one run from what it left on disk: assignments and receipt, no network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from iic.evaluate.selection import Checkpoint, evaluate
from iic.records.assignments import read_assignments
from iic.records.evaluation import CheckpointName, Evaluation
from iic.records.files import RecordError, read_record
from iic.records.outcome import TrainOutcome
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt


def evaluate_run(run: RunPaths, root: Path = Path()) -> Evaluation:
    """Score a run.

    Args:
        run: The run's files, relative to `root`.
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
    labels = assignments["last"].labels
    known = None if labels is None else labels >= 0
    return evaluate(
        checkpoints,
        labels,
        k_clusters=outcome.k_clusters,
        k_classes=outcome.k_classes,
        mapping_rows=known,
        scoring_rows=known,
    )
