"""What a training found, for people: the line that a job of the workflow ends with."""

from __future__ import annotations

from iic.params.datasets import Dataset
from iic.params.errors import IICError
from iic.params.runs import Run
from iic.records.evaluation import Evaluation
from iic.records.paths import RunPaths


def finding(evaluation: Evaluation) -> str:
    """Accuracy of the last epoch, its sub-head chosen without labels; its loss where none are."""
    selection = evaluation.selections["label_free"]
    if selection is None:
        return "trained"
    if selection.acc is not None:
        return f"accuracy {selection.acc:.2f} % (label-free)"
    heads = evaluation.checkpoints[selection.checkpoint].sub_heads
    loss = None if selection.sub_head is None else heads[selection.sub_head].loss
    return "trained, without labels" if loss is None else f"loss {loss:.4f}, without labels"


def finding_of_training(run: Run, dataset: Dataset, run_paths: RunPaths) -> str:
    """What the evaluation of a finished training will find.

    The training stands whatever comes of this, so nothing is raised.
    """
    from iic.evaluate.run import evaluate_run

    try:
        return finding(evaluate_run(run_paths, run.settings.evaluation, dataset))
    except IICError as error:
        return f"trained; it cannot be scored: {error}"
