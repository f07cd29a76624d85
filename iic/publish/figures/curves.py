"""Training curves: loss and accuracy by epoch, every seed, beside methods without epochs.

Where the paper's own dataset ran, the authors' logged accuracies stand beside ours.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from iic.params.runs import Plan, Run
from iic.publish.evidence import evaluation_source, training_source
from iic.publish.figures.style import (
    INK,
    PALE,
    SERIES,
    TEXT_WIDTH,
    Drawn,
    FigureError,
    colour,
    stand_in_note,
)
from iic.publish.learning_curves import LOGS, LoggedEpoch, read_learning_curves
from iic.records.evaluation import Evaluation
from iic.records.files import read_record
from iic.records.history import read_history
from iic.records.paths import RunPaths
from iic.records.sources import SeedSource, Series, Sources

ROW_HEIGHT = 2.3
FEW_EPOCHS = 12
HEADS = {"B": "main head", "A": "overclustering head"}
STYLES: dict[str, Literal["-", ":"]] = {"B": "-", "A": ":"}


@dataclass(frozen=True)
class _Curve:
    """One seed of a run that trains by epochs."""

    seed: int
    epochs: list[dict[str, Any]]
    source: SeedSource


@dataclass(frozen=True)
class _Level:
    """The accuracy of a method without epochs, mean over its seeds, in percent."""

    run: Run
    accuracy: float
    sources: list[SeedSource]


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """One row of panels per run that trains by epochs: loss on the left, accuracy on the right.

    Of each seed the accuracy shows the mean over sub-heads as a line and their range as a band.
    Runs without epochs (k-means) are dashed lines at their label-free accuracy.

    Raises:
        FigureError: No run of the figure has a history at this scale.
    """
    curves: dict[str, tuple[Run, list[_Curve]]] = {}
    levels: list[_Level] = []
    for run in plan.figure_runs(plan.figures[name]):
        seeds = _curves(run, root)
        if seeds:
            curves[run.id] = (run, seeds)
        elif (level := _level(run, root)) is not None:
            levels.append(level)
    if not curves:
        raise FigureError(
            f"{name}: no run of scale {plan.scale.name} has a history with epochs\n"
            f"  remedy: train {', '.join(plan.figures[name].runs)} first"
        )
    figure = Figure(figsize=(TEXT_WIDTH, ROW_HEIGHT * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), 2, squeeze=False)
    series = []
    for (left, right), (run, seeds) in zip(panels, curves.values(), strict=True):
        stand_in = stand_in_note(plan, run)
        near = [level for level in levels if level.run.dataset == run.dataset]
        epoch = "epoch, of one head each" if _one_head(run) else "epoch"
        _losses(left, seeds, epoch)
        end = max(1, *(epoch["epoch"] for curve in seeds for epoch in curve.epochs))
        own = plan.scale.real and run.dataset == run.paper_dataset and _as_long(plan, run)
        theirs = read_learning_curves(root / LOGS).get(run.id, []) if own else []
        segmented = plan.datasets[run.dataset].maps is not None
        what = "pixel accuracy (%)" if segmented else "accuracy (%)"
        _accuracies(right, seeds, near, [row for row in theirs if row.epoch <= end])
        _frame(right, what, epoch)
        for axes in (left, right):
            axes.set_xlim(-0.03 * end, 1.03 * end)
        left.set_title(f"{run.id}{stand_in}: loss", loc="left")
        # the name itself says stand-in, and the whole would be too long for the panel
        right.set_title(f"{run.id}: accuracy", loc="left")
        series.append(Series(name=run.id, seeds=[curve.source for curve in seeds]))
    series += [Series(name=level.run.id, seeds=level.sources) for level in levels]
    return Drawn(figure, Sources(scale=plan.scale.name, name=name, series=series))


def _as_long(plan: Plan, run: Run) -> bool:
    """Whether an epoch has the batches and passes that the paper's has, so that epochs compare."""
    defined = plan.definitions.get(f"{run.paper_dataset}/{run.name}")
    mine, theirs = (
        [
            getattr(definition, name, None)
            for name in ("pairs", "head_a", "head_b", "heads_per_epoch")
        ]
        for definition in (run.settings, None if defined is None else defined.settings)
    )
    return defined is None or mine == theirs


def _curves(run: Run, root: Path) -> list[_Curve]:
    curves = []
    for seed in run.seeds:
        paths = RunPaths(run.scale, run.id, seed)
        if not (root / paths.history).exists():
            continue
        epochs = read_history(root / paths.history)
        if any(epoch.get("loss") for epoch in epochs):
            curves.append(_Curve(seed, epochs, training_source(paths, paths.history, root)))
    return curves


def _level(run: Run, root: Path) -> _Level | None:
    accuracies, sources = [], []
    for seed in run.seeds:
        paths = RunPaths(run.scale, run.id, seed)
        if not (root / paths.evaluation).exists():
            continue
        chosen = read_record(root / paths.evaluation, Evaluation).selections["label_free"]
        if chosen is not None and chosen.acc is not None:
            accuracies.append(chosen.acc)
            sources.append(evaluation_source(paths, root))
    return _Level(run, statistics.fmean(accuracies), sources) if accuracies else None


def _one_head(run: Run) -> bool:
    """Whether an epoch trains one of the heads, in turns, as in the paper's segmentation."""
    return getattr(run.settings, "heads_per_epoch", "both") == "one"


def _losses(axes: Axes, curves: Iterable[_Curve], epoch_label: str) -> None:
    seen: dict[str, None] = {}
    for position, curve in enumerate(curves):
        for head in dict.fromkeys(h for epoch in curve.epochs for h in epoch.get("head") or []):
            points = [
                (epoch["epoch"], statistics.fmean(losses))
                for epoch in curve.epochs
                if (losses := _passes(epoch, head))
            ]
            style, paint = STYLES.get(head, "-"), colour(SERIES, position)
            marker = _marker(len(points))
            axes.plot(*zip(*points, strict=True), linestyle=style, color=paint, marker=marker, ms=3)
            seen[head] = None
    _frame(axes, "loss (nats)", epoch_label)
    if len(seen) > 1:
        lines = [Line2D([], [], color=INK, linestyle=STYLES.get(head, "-")) for head in seen]
        axes.legend(lines, [HEADS.get(head, head) for head in seen], loc="best")


def _passes(epoch: dict[str, Any], head: str) -> list[float]:
    """Losses of this epoch's passes over one head; none before training."""
    if not epoch.get("loss"):
        return []
    pairs = zip(epoch["head"], epoch["loss"], strict=True)
    return [loss for other, loss in pairs if other == head and loss is not None]


def _accuracies(
    axes: Axes, curves: Iterable[_Curve], levels: Iterable[_Level], logged: list[LoggedEpoch]
) -> None:
    handles: list[Artist] = []
    several = False
    for position, curve in enumerate(curves):
        scored = [epoch for epoch in curve.epochs if epoch.get("accuracy")]
        x = [epoch["epoch"] for epoch in scored]
        heads = [epoch["accuracy"] for epoch in scored]
        paint = colour(SERIES, position)
        axes.fill_between(x, [*map(min, heads)], [*map(max, heads)], color=paint, alpha=0.16, lw=0)
        means = [*map(statistics.fmean, heads)]
        # what lies at an end of the scale is drawn whole
        (line,) = axes.plot(x, means, color=paint, marker=_marker(len(x)), ms=3, clip_on=False)
        several = several or any(len(scores) > 1 for scores in heads)
        line.set_label(f"seed {curve.seed}")
        handles.append(line)
    if several:
        handles.append(Patch(color=INK, alpha=0.16, lw=0, label="range over sub-heads"))
    for level in levels:
        line = axes.axhline(level.accuracy, color=PALE, linestyle="--", linewidth=1.1)
        line.set_label(f"{level.run.name}, {level.accuracy:.1f} %")
        handles.append(line)
    if logged:
        epochs = [entry.epoch for entry in logged]
        best, mean = [entry.best for entry in logged], [entry.mean for entry in logged]
        kinds = [(best, "^", ", best sub-head"), (mean, "o", ", mean sub-head")]
        # a single sub-head is best and mean
        for values, marker, what in kinds if best != mean else [(mean, "o", "")]:
            (line,) = axes.plot(
                epochs,
                values,
                color=INK,
                linestyle=":",
                marker=marker,
                ms=4,
                mfc="none",
                lw=0.8,
                clip_on=False,
            )
            line.set_label(f"authors' model {logged[0].model}{what}")
            handles.append(line)
    axes.set_ylim(0, 100)
    axes.legend(handles=handles, loc="best")


def _marker(points: int) -> str:
    """A dot on every epoch while there are few: a line through one point shows nothing."""
    return "o" if points <= FEW_EPOCHS else ""


def _frame(axes: Axes, label: str, epoch: str) -> None:
    axes.set_xlabel(epoch)
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.grid(True, axis="y")
