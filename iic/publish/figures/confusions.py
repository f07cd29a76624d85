"""What a run takes for something else: its errors seed by seed, and images of most of them.

A label-free objective may divide images otherwise than people do. Where all seeds err alike, the
rest of the accuracy is not noise, and the images say what it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.data.load import PreparedData, load
from iic.params.runs import Plan, Run
from iic.publish.confusions import Errors, hardest
from iic.publish.evidence import evaluation_source, training_source
from iic.publish.figures.chosen import check_accuracy, chosen, no_run, runs_of
from iic.publish.figures.predictions import DRAW, true_classes
from iic.publish.figures.sheet import HEADING, SMALL, Box, Sheet, readable, text_width
from iic.publish.figures.style import PALE, TEXT_WIDTH, WRONG, Drawn, FigureError
from iic.records.assignments import read_assignments
from iic.records.evaluation import Evaluation
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import SeedSource, Series, Sources

SHOWN = 3
"""Confusions of each seed."""
ROWS, COLUMNS = 3, 20
"""Of images."""
LINE = 0.17
MARGIN = 0.08
NAMES = 1.95
"""Width of what stands before the bars, in inches."""
TITLE = 0.26


class Training(NamedTuple):
    """One training: the sub-head of lowest loss at its last epoch."""

    run: Run
    seed: int
    indices: NDArray[np.int64]
    """Positions of the n images that are scored, in the dataset."""
    errors: Errors
    sources: list[SeedSource]
    """What all this was read from."""


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """Errors of every training, and images of the class with most of them.

    Raises:
        FigureError: The scale lacks the runs, they are of several datasets, nothing was taken for
            something else, or a run's files do not belong together.
        RecordError: One of its files is missing or damaged, or has no receipt.
        DataError: Its data is not prepared.
    """
    runs = runs_of(plan, name, maps=False)
    if not runs:
        raise no_run(plan, name)
    datasets = {run.dataset for run in runs}
    if len(datasets) > 1:
        raise FigureError(
            f"{name}: runs of {', '.join(sorted(datasets))}, but their images stand side by side"
            "\n  remedy: runs of one dataset in params/figures.yaml"
        )
    (dataset,) = datasets
    data = load(dataset, root)
    trainings = [_training(run, seed, data, root) for run in runs for seed in run.seeds]
    confused = hardest([training.errors for training in trainings])
    if confused is None:
        raise FigureError(
            f"{name}: nothing is taken for something else, so nothing is to show\n"
            f"  remedy: take {name} out of figures in params/scales/{plan.scale.name}.yaml"
        )
    lines, names = len(trainings) * LINE, plan.datasets[dataset].classes
    side = (TEXT_WIDTH - 2 * MARGIN) / COLUMNS
    sheet = Sheet(TEXT_WIDTH, HEADING + lines + 2 * (TITLE + ROWS * side) + 2 * MARGIN)
    sheet.heading(
        f"{dataset}: what the sub-head of lowest loss takes for something else",
        stand_in=plan.datasets[dataset].stand_in,
    )
    for number, training in enumerate(trainings):
        _bars(sheet, training, names, HEADING + number * LINE)
    always, never = _in_all(trainings, confused)
    y = HEADING + lines
    title = f"{readable(names[confused])}, in every training taken for something else"
    _images(sheet, data, always, title, y, side)
    title = f"{readable(names[confused])}, in every training recognised"
    _images(sheet, data, never, title, y + TITLE + ROWS * side, side)
    series = [
        Series(
            name=run.id,
            seeds=[source for own in trainings if own.run == run for source in own.sources],
        )
        for run in runs
    ]
    return Drawn(sheet.figure, Sources(scale=plan.scale.name, name=name, series=series))


def _training(run: Run, seed: int, data: PreparedData, root: Path) -> Training:
    paths = RunPaths(run.scale, run.id, seed)
    of = chosen(read_record(root / paths.evaluation, Evaluation), paths)
    last = read_assignments(root / paths.assignments)["last"]
    labels = true_classes(paths, last, data)
    tested = np.isin(last.indices, data.indices(run.settings.evaluation.test))
    scored = np.flatnonzero(tested & (labels >= 0))
    predicted = of.mapping[last.clusters[scored, of.head]]
    errors = Errors(labels[scored], predicted)
    check_accuracy(errors.accuracy, of, paths)
    sources = [training_source(paths, paths.assignments, root), evaluation_source(paths, root)]
    return Training(run, seed, last.indices[scored], errors, sources)


def _bars(sheet: Sheet, training: Training, names: tuple[str, ...], y: float) -> None:
    """One line: all errors of a training, and the part of each of the largest confusions."""
    errors = training.errors
    total = int(errors.wrong.sum())
    method = training.run.id.split("/")[1]
    text = f"{method}, seed {training.seed}: {errors.accuracy:.2f} %, {total:,} errors"
    sheet.text(MARGIN, y + LINE / 2, text, width=NAMES, va="center", size=7)
    x, width = MARGIN + NAMES, TEXT_WIDTH - 2 * MARGIN - NAMES
    for place, ((label, given), count) in enumerate(errors.confusions()[:SHOWN]):
        part = width * count / total
        sheet.rectangle(
            Box(x, y + 0.02, part, LINE - 0.04), facecolor=WRONG, alpha=0.75 - 0.2 * place, lw=0
        )
        words = f"{readable(names[label])} for {readable(names[given])}: {count:,}"
        if text_width(words, SMALL) < part - 0.06:
            sheet.text(x + 0.03, y + LINE / 2, words, va="center", color="white")
        x += part
    # what is left of the line are the other errors
    sheet.rectangle(
        Box(x, y + 0.02, TEXT_WIDTH - MARGIN - x, LINE - 0.04), facecolor=PALE, alpha=0.25, lw=0
    )


def _in_all(trainings: list[Training], label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of a class's images that all take for something else, and that none does."""
    wrong = np.sum([training.errors.wrong for training in trainings], axis=0)
    of_class = trainings[0].errors.labels == label
    indices = trainings[0].indices
    return indices[of_class & (wrong == len(trainings))], indices[of_class & (wrong == 0)]


def _images(
    sheet: Sheet, data: PreparedData, indices: NDArray[np.int64], title: str, y: float, side: float
) -> None:
    """A random sample of images under a title."""
    sheet.text(MARGIN, y + TITLE / 2 + 0.03, f"{title} ({len(indices):,})", va="center", size=7)
    random = np.random.default_rng(DRAW)
    number = min(len(indices), ROWS * COLUMNS)
    for place, index in enumerate(random.choice(indices, number, replace=False)):
        row, column = divmod(place, COLUMNS)
        box = Box(MARGIN + column * side, y + TITLE + row * side, 0.94 * side, 0.94 * side)
        sheet.image(np.asarray(data.images[index]), box)
