"""Figure 6: accuracy of semi-supervised overclustering by share of labels and number of clusters.

Each curve is divided by its maximum, as in the paper; the legend gives that maximum. A
point is the mean over seeds; its bar is the standard deviation over draws of labels and over seeds
together: the root of the mean variance over draws plus the variance over seeds.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from iic.params.experiments import Figure as Definition
from iic.params.runs import Plan, Run
from iic.publish.evidence import evaluation_source
from iic.publish.figures.chosen import no_run
from iic.publish.figures.sheet import HEADING, label_stand_in
from iic.publish.figures.style import PALE, SERIES, TEXT_WIDTH, Drawn, FigureError, colour
from iic.records.evaluation import Evaluation, SelectionName
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import SeedSource, Series, Sources

SELECTION: SelectionName = "label_free"
HEIGHT = 3.35
SHARE = re.compile(r"-pct(\d+(?:_\d+)?)$")
"""Part of a run's name that says its k in percent of the largest."""
MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class _Measured:
    """The evaluations of one run, all seeds."""

    run: Run
    percent: float
    """k in percent of the dataset's largest."""
    evaluations: list[Evaluation]
    sources: list[SeedSource]


@dataclass(frozen=True)
class Point:
    """One point of a curve, in percent."""

    x: float
    accuracy: float
    std: float


@dataclass(frozen=True)
class Curve:
    """One curve of a panel."""

    name: str
    colour: str
    marker: str
    points: list[Point]
    sources: list[SeedSource]

    @property
    def maximum(self) -> float:
        """What the curve is divided by; 1 for a curve of zeros, which stays one."""
        return max(point.accuracy for point in self.points) or 1.0


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """Three panels; a run that the scale lacks is absent from them.

    Raises:
        FigureError: The scale has none of the runs, or one of them has no scores by share of labels
            where its panel shows those.
        RecordError: An evaluation is missing or damaged, or has no receipt.
    """
    definition = plan.figures[name]
    runs = [_measured(name, run, root) for run in plan.figure_runs(definition)]
    if not runs:
        raise no_run(plan, name)
    stand_in = any(plan.datasets[measured.run.dataset].stand_in for measured in runs)
    panels = {
        "left": _by_clusters(definition, runs),
        "centre": _by_dataset(definition, runs),
        "right": _over_clusters(definition, runs),
    }
    drawn = Figure(figsize=(TEXT_WIDTH, HEIGHT + HEADING * stand_in))
    drawn.set_layout_engine("constrained", rect=(0, 0, 1, HEIGHT / drawn.get_figheight()))
    if stand_in:
        label_stand_in(drawn, TEXT_WIDTH)
    first = next(iter(_of_first_dataset(definition, runs)), None)
    titles = {
        "left": "each k" if first is None else f"{_title(definition, first.run)}, each k",
        "centre": "each dataset, one k",
        "right": "each dataset, all labels",
    }
    labels = {
        "left": "labels (% of the training set)",
        "centre": "labels (% of the training set)",
        "right": "clusters (% of the largest k)",
    }
    every = drawn.subplots(1, len(panels))
    for axes, (panel, curves) in zip(every, panels.items(), strict=True):
        axes.set_title(titles[panel], loc="left")
        axes.set_xlabel(labels[panel])
        _plot(axes, curves)
    every[0].set_ylabel("accuracy (% of the curve's maximum)")
    series = [
        Series(name=f"{panel}: {curve.name}", seeds=curve.sources)
        for panel, curves in panels.items()
        for curve in curves
    ]
    return Drawn(drawn, Sources(scale=plan.scale.name, name=name, series=series))


def percent(run: Run, name: str) -> float:
    """The k of a run in percent of its dataset's largest, from the name of the run.

    Raises:
        FigureError: The name does not say it.
    """
    match = SHARE.search(run.id)
    if match is None:
        raise FigureError(
            f"params/figures.yaml: figures.{name}.runs: {run.id} does not say its k\n"
            "  remedy: name runs whose variant is pct<percent of the largest k>, e.g. pct12_5"
        )
    return float(match[1].replace("_", "."))


def _measured(name: str, run: Run, root: Path) -> _Measured:
    share = percent(run, name)
    places = [RunPaths(run.scale, run.id, seed) for seed in run.seeds]
    evaluations = [read_record(root / run_paths.evaluation, Evaluation) for run_paths in places]
    sources = [evaluation_source(run_paths, root) for run_paths in places]
    return _Measured(run, share, evaluations, sources)


def _of_first_dataset(definition: Definition, runs: Iterable[_Measured]) -> list[_Measured]:
    """Those on the dataset that the figure names first."""
    first = _datasets(definition)[0]
    return [measured for measured in runs if measured.run.paper_dataset == first]


def _by_clusters(definition: Definition, runs: Iterable[_Measured]) -> list[Curve]:
    """One curve for each k on the first dataset."""
    chosen = sorted(_of_first_dataset(definition, runs), key=lambda measured: -measured.percent)
    return [
        _curve(
            f"{measured.percent:g} %, k = {measured.evaluations[0].k_clusters}",
            position,
            _fractions(measured),
            [measured],
        )
        for position, measured in enumerate(chosen)
    ]


def _by_dataset(definition: Definition, runs: Iterable[_Measured]) -> list[Curve]:
    """One curve for each dataset, at one k."""
    # of a dataset that has none in `main`, the first
    main = {run.split("/")[0]: run for run in reversed((*definition.main, *definition.runs))}
    return [
        _curve(
            f"{_title(definition, run)}, k = {measured.evaluations[0].k_clusters}",
            _datasets(definition).index(run.paper_dataset),
            _fractions(measured),
            [measured],
        )
        for measured in runs
        if f"{(run := measured.run).paper_dataset}/{run.name}" in main.values()
    ]


def _over_clusters(definition: Definition, runs: Iterable[_Measured]) -> list[Curve]:
    """One curve for each dataset, over all k."""
    by_dataset: dict[str, list[_Measured]] = {}
    for measured in runs:
        by_dataset.setdefault(measured.run.paper_dataset, []).append(measured)
    curves = []
    for dataset, chosen in by_dataset.items():
        chosen.sort(key=lambda measured: measured.percent)
        points = [_point(measured.percent, measured, _accuracy) for measured in chosen]
        # the same colour in every panel and at every scale
        position = _datasets(definition).index(dataset)
        curves.append(_curve(_title(definition, chosen[0].run), position, points, chosen))
    return curves


def _curve(name: str, position: int, points: list[Point], runs: list[_Measured]) -> Curve:
    sources = [source for measured in runs for source in measured.sources]
    return Curve(name, colour(SERIES, position), colour(MARKERS, position), points, sources)


def _fractions(measured: _Measured) -> list[Point]:
    """Accuracy by share of labels, from the least labels on."""
    asked = [
        tuple(scores.fraction for scores in evaluation.fractions)
        for evaluation in measured.evaluations
    ]
    if not all(asked) or len(set(asked)) > 1:
        raise FigureError(
            f"{RunPaths(measured.run.scale, measured.run.id, measured.run.seeds[0]).evaluation}: "
            f"fractions: {' and '.join(str(list(shares)) for shares in dict.fromkeys(asked))}; the "
            "same shares of the labels are needed of every seed\n"
            "  remedy: give evaluation.label_fractions of the run, then `iic evaluate --dataset "
            f"{measured.run.dataset} --scale {measured.run.scale}`"
        )
    return [
        _point(100 * fraction, measured, partial(_of_fraction, index))
        for index, fraction in sorted(enumerate(asked[0]), key=lambda entry: entry[1])
    ]


def _accuracy(evaluation: Evaluation) -> tuple[float, float] | None:
    selection = evaluation.selections[SELECTION]
    return None if selection is None or selection.acc is None else (selection.acc, 0.0)


def _of_fraction(index: int, evaluation: Evaluation) -> tuple[float, float] | None:
    selection = evaluation.fractions[index].selections[SELECTION]
    return None if selection is None else (selection.acc, selection.acc_std or 0.0)


def _point(
    x: float, measured: _Measured, score: Callable[[Evaluation], tuple[float, float] | None]
) -> Point:
    scores = [score(evaluation) for evaluation in measured.evaluations]
    numbers = [each for each in scores if each is not None]
    if len(numbers) < len(scores):
        raise FigureError(
            f"{measured.run.id}: selections.{SELECTION}: no accuracy\n"
            "  remedy: draw this figure from runs on datasets with labels"
        )
    accuracies = [accuracy for accuracy, _ in numbers]
    between = statistics.variance(accuracies) if len(accuracies) > 1 else 0.0
    within = statistics.fmean(std**2 for _, std in numbers)
    return Point(x, statistics.fmean(accuracies), math.sqrt(between + within))


def _datasets(definition: Definition) -> list[str]:
    """The paper's datasets in the order in which the figure names them."""
    return list(dict.fromkeys(run.split("/")[0] for run in definition.runs))


def _title(definition: Definition, run: Run) -> str:
    if run.dataset == run.paper_dataset:
        return definition.datasets.get(run.dataset, run.dataset)
    return run.dataset


def _plot(axes: Axes, curves: list[Curve]) -> None:
    if not curves:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(
            0.5,
            0.5,
            "no such run\nat this scale",
            ha="center",
            va="center",
            color=PALE,
            transform=axes.transAxes,
        )
        return
    for curve in curves:
        axes.errorbar(
            [point.x for point in curve.points],
            [100 * point.accuracy / curve.maximum for point in curve.points],
            [100 * point.std / curve.maximum for point in curve.points],
            label=f"{curve.name}: {curve.maximum:.1f} %",
            color=curve.colour,
            marker=curve.marker,
            ms=4,
            capsize=2,
            elinewidth=0.8,
            lw=1.1,
        )
    ticks = sorted({point.x for curve in curves for point in curve.points})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.grid(True, axis="y")
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.05, -0.2),
        handlelength=1.6,
        fontsize=7,
        borderaxespad=0.0,
    )
