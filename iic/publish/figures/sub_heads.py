"""Loss and accuracy of every sub-head, and what more sub-heads to pick from are worth.

Sub-heads differ in nothing but their initial weights. Left, each one's loss at the last epoch
against its accuracy. Right, the accuracy of the sub-head of lowest loss among m of the h that were
trained: the exact mean over all choices of m, seed by seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iic.params.runs import Plan, Run
from iic.publish.evidence import evaluation_source
from iic.publish.figures.chosen import evaluate_again, no_run
from iic.publish.figures.style import (
    INK,
    SERIES,
    TEXT_WIDTH,
    Drawn,
    FigureError,
    colour,
    stand_in_note,
)
from iic.records.evaluation import Evaluation
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import SeedSource, Series, Sources

ROW_HEIGHT = 2.6


@dataclass(frozen=True)
class Seed:
    """The sub-heads of one training at its last epoch."""

    seed: int
    losses: list[float]
    """Of each sub-head, in nats."""
    accuracies: list[float]
    """Of each sub-head, in percent."""
    source: SeedSource


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """One row of panels for each run.

    Raises:
        FigureError: The scale has none of the runs, or a sub-head has no accuracy or no loss.
        RecordError: An evaluation is missing or damaged, or has no receipt.
    """
    runs = plan.figure_runs(plan.figures[name])
    if not runs:
        raise no_run(plan, name)
    drawn = Figure(figsize=(TEXT_WIDTH, ROW_HEIGHT * len(runs)), layout="constrained")
    series = []
    for run, (left, right) in zip(runs, drawn.subplots(len(runs), 2, squeeze=False), strict=True):
        seeds = [_seed(RunPaths(run.scale, run.id, seed), root) for seed in run.seeds]
        _scatter(left, seeds)
        left.set_title(_title(plan, run, seeds), loc="left")
        _picked(right, seeds)
        series.append(Series(name=run.id, seeds=[seed.source for seed in seeds]))
    return Drawn(drawn, Sources(scale=plan.scale.name, name=name, series=series))


def picked(losses: Sequence[float], accuracies: Sequence[float]) -> list[float]:
    """Accuracy of the sub-head of lowest loss among m, for m from 1 to h.

    The mean over all choices of m of the h sub-heads. The one of rank i by loss, from 0, is the
    lowest of those chosen where the other m - 1 are of the h - 1 - i with a higher loss.

    Args:
        losses: Of each sub-head, (h,). Of equal ones the first counts as lower, as in a selection.
        accuracies: Of each sub-head, (h,).
    """
    h = len(losses)
    ranked = [accuracies[i] for i in sorted(range(h), key=lambda i: losses[i])]
    return [
        sum(math.comb(h - 1 - i, m - 1) * accuracy for i, accuracy in enumerate(ranked))
        / math.comb(h, m)
        for m in range(1, h + 1)
    ]


def _seed(paths: RunPaths, root: Path) -> Seed:
    evaluation = read_record(root / paths.evaluation, Evaluation)
    losses, accuracies = [], []
    for index, scores in enumerate(evaluation.checkpoints["last"].sub_heads):
        for key in ("loss", "acc"):
            if getattr(scores, key) is None:
                raise FigureError(
                    f"{paths.evaluation}: checkpoints.last.sub_heads.{index}.{key}: null; each "
                    f"sub-head's loss and accuracy are needed{evaluate_again(paths)}"
                )
        assert scores.loss is not None
        assert scores.acc is not None
        losses.append(scores.loss)
        accuracies.append(scores.acc)
    return Seed(paths.seed, losses, accuracies, evaluation_source(paths, root))


def _title(plan: Plan, run: Run, seeds: list[Seed]) -> str:
    heads = len(seeds[0].losses)
    trainings = f"{len(seeds)} trainings of" if len(seeds) > 1 else "one training of"
    return f"{run.id}: {trainings} {heads} sub-heads{stand_in_note(plan, run)}"


def _scatter(axes: Axes, seeds: list[Seed]) -> None:
    for position, seed in enumerate(seeds):
        axes.scatter(
            seed.losses, seed.accuracies, s=11, lw=0, alpha=0.8, color=colour(SERIES, position)
        )
        lowest = min(range(len(seed.losses)), key=lambda i: seed.losses[i])
        axes.scatter(
            seed.losses[lowest],
            seed.accuracies[lowest],
            s=34,
            facecolors="none",
            edgecolors=INK,
            lw=0.7,
        )
    axes.set_xlabel("loss (nats); circled, the lowest of a training")
    axes.set_ylabel("accuracy (%)")
    axes.grid(True)


def _picked(axes: Axes, seeds: list[Seed]) -> None:
    curves = [picked(seed.losses, seed.accuracies) for seed in seeds]
    for position, curve in enumerate(curves):
        axes.plot(
            range(1, len(curve) + 1), curve, lw=0.8, alpha=0.7, color=colour(SERIES, position)
        )
    if len(curves) > 1:
        means = [statistics.fmean(values) for values in zip(*curves, strict=True)]
        axes.plot(range(1, len(means) + 1), means, lw=2, color=INK, label="mean over trainings")
        axes.legend(loc="lower right")
    axes.set_xlabel("sub-heads to pick from")
    axes.set_ylabel("accuracy of the one of lowest loss (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True)
