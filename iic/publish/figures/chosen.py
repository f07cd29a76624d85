"""The sub-head whose predictions a figure shows, and what to do where its files do not agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.params.runs import Plan, Run
from iic.publish.figures.style import FigureError
from iic.records.evaluation import Evaluation, SelectionName, SubHeadScores
from iic.records.paths import RunPaths

SELECTION: SelectionName = "label_free"
"""Of lowest loss at the last epoch."""
TOLERANCE = 0.005
"""Percentage points by which an accuracy may differ from the evaluation's."""


class Chosen(NamedTuple):
    """One sub-head at the last epoch."""

    head: int
    """Its place in the network."""
    heads: int
    """How many sub-heads there are."""
    mapping: NDArray[np.int64]
    """Class of each of its clusters, (k,); -1 for one without."""
    accuracy: float
    """In percent."""
    scores: SubHeadScores
    """All that the evaluation says of it."""


def chosen(evaluation: Evaluation, paths: RunPaths) -> Chosen:
    """The sub-head that is chosen without labels.

    Raises:
        FigureError: The evaluation chooses none, or its clusters have no classes.
    """
    selection = evaluation.selections[SELECTION]
    if selection is None or selection.sub_head is None:
        raise FigureError(
            f"{paths.evaluation}: selections.{SELECTION}.sub_head: none{evaluate_again(paths)}"
        )
    heads = evaluation.checkpoints[selection.checkpoint].sub_heads
    scores = heads[selection.sub_head]
    if scores.mapping is None or scores.acc is None:
        raise FigureError(
            f"{paths.evaluation}: checkpoints.{selection.checkpoint}.sub_heads."
            f"{selection.sub_head}.mapping: null, so its clusters have no classes\n"
            "  remedy: draw this figure from a run on a dataset with labels"
        )
    mapping = np.asarray(scores.mapping, dtype=np.int64)
    return Chosen(selection.sub_head, len(heads), mapping, scores.acc, scores)


def check_accuracy(accuracy: float, of: Chosen, paths: RunPaths) -> None:
    """Whether the assignments have the accuracy that the evaluation says.

    Raises:
        FigureError: They have another, in percent: `accuracy`.
    """
    if abs(accuracy - of.accuracy) > TOLERANCE:
        raise FigureError(
            f"{paths.evaluation}: checkpoints.last.sub_heads.{of.head}.acc: {of.accuracy:.2f}, but "
            f"with its mapping {paths.assignments} has {accuracy:.2f}{evaluate_again(paths)}"
        )


def runs_of(plan: Plan, name: str, *, maps: bool) -> list[Run]:
    """The runs of the figure `name` that segment images (`maps`), or that cluster whole ones."""
    runs = plan.figure_runs(plan.figures[name])
    return [run for run in runs if (plan.datasets[run.dataset].maps is not None) == maps]


def no_run(plan: Plan, name: str) -> FigureError:
    """The scale has none of the figure's runs."""
    return FigureError(
        f"{name}: scale {plan.scale.name} has no run {', '.join(plan.figures[name].runs)}\n"
        f"  remedy: take {name} out of figures in params/scales/{plan.scale.name}.yaml, or put "
        "a table with that run into tables"
    )


def restore(paths: RunPaths) -> str:
    """The remedy where an artifact is missing or damaged."""
    return (
        f"\n  remedy: `iic restore --scale {paths.scale}` brings artifacts back, or train "
        f"{paths.run} with seed {paths.seed} again"
    )


def train_again(paths: RunPaths) -> str:
    """The remedy where what a training left does not belong together."""
    return f"\n  remedy: train {paths.run} with seed {paths.seed} at scale {paths.scale} again"


def evaluate_again(paths: RunPaths) -> str:
    """The remedy where the evaluation is of something else."""
    dataset = paths.run.split("/")[0]
    return f"\n  remedy: `iic evaluate --dataset {dataset} --scale {paths.scale}` writes it anew"
