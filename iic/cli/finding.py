"""What a job found, for people: the line that it ends with."""

from __future__ import annotations

from iic.records.evaluation import Evaluation
from iic.records.files import RecordError
from iic.records.history import read_history
from iic.records.paths import RunPaths


def finding(evaluation: Evaluation) -> str:
    """Accuracy of the last epoch, its sub-head chosen without labels; its loss where none are."""
    selection = evaluation.selections["label_free"]
    if selection is None:
        return "no model is picked"
    if selection.acc is not None:
        return f"accuracy {selection.acc:.2f} % (label-free)"
    heads = evaluation.checkpoints[selection.checkpoint].sub_heads
    loss = None if selection.sub_head is None else heads[selection.sub_head].loss
    return "no labels" if loss is None else f"loss {loss:.4f}, no labels"


def finding_of_training(run_paths: RunPaths) -> str:
    """How a finished training ended, by its history: scoring it is another job's work.

    The training stands whatever comes of this, so nothing is raised.
    """
    try:
        history = read_history(run_paths.history)
    except RecordError as error:
        return f"trained; {error}"
    if not history:
        return "trained"
    losses = history[-1].get("loss")
    loss = f", loss {losses[-1]:.4f}" if losses else ""
    return f"trained, {history[-1]['epoch']} epochs{loss}"
