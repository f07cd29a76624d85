"""What one run predicts for the images that it is scored on, from its files alone.

The sub-head is the one that is chosen without labels: of lowest loss at the last epoch. The
files must agree before anything is drawn, since images under the probabilities of others would look
no worse: the assignments must be the most probable clusters, their labels those of the dataset, and
their accuracy the one in the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.load import PreparedData, load
from iic.evaluate.matching import UNMATCHED
from iic.params.runs import Plan, Run
from iic.publish.evidence import evaluation_source, training_source
from iic.publish.figures.chosen import (
    check_accuracy,
    chosen,
    no_run,
    restore,
    runs_of,
    train_again,
)
from iic.publish.figures.style import FigureError, stand_in_note
from iic.records.assignments import Assignments, read_assignments
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.paths import RunPaths
from iic.records.snapshots import read_probabilities
from iic.records.sources import Series

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

DRAW = 20191027
"""Seed of every random choice of images to show."""


@dataclass(frozen=True)
class Predictions:
    """One sub-head's predictions for the n images that are scored.

    Args:
        run: The run.
        seed: Its seed.
        head: The sub-head.
        pixels: All images of the dataset, (N, channels, H, W).
        indices: Positions of the scored ones among them, (n,).
        labels: Their classes, (n,).
        clusters: Their most probable clusters, (n,).
        probabilities: Of every cluster, (n, k).
        mapping: Class of each cluster, (k,); -1 for one without.
        classes: Names.
        series: The files that all this was read from.
    """

    run: Run
    seed: int
    head: int
    pixels: NDArray[np.uint8]
    indices: Ints
    labels: Ints
    clusters: Ints
    probabilities: Floats
    mapping: Ints
    classes: tuple[str, ...]
    series: list[Series]

    @property
    def predicted(self) -> Ints:
        """Class of each image's most probable cluster, (n,); -1 for a cluster without class."""
        classes: Ints = self.mapping[self.clusters]
        return classes

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the predicted class is the true one, (n,)."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100.0 * int(self.right.sum()) / len(self.labels)

    def class_probabilities(self, row: int) -> NDArray[np.float64]:
        """Of one image: for each class the sum over the clusters mapped to it, (classes,)."""
        matched = self.mapping != UNMATCHED
        return np.bincount(
            self.mapping[matched], self.probabilities[row, matched], minlength=len(self.classes)
        ).astype(np.float64)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image, (channels, H, W)."""
        return np.asarray(self.pixels[self.indices[row]])

    def sample(self, members: NDArray[np.bool_], number: int, stream: int) -> list[int]:
        """At most `number` rows of those in `members`, drawn at random, the same every time."""
        rows = np.flatnonzero(members)
        random = np.random.default_rng((DRAW, stream))
        chosen = random.choice(rows, min(number, len(rows)), replace=False) if len(rows) else rows
        return [int(row) for row in chosen]

    def heading(self, plan: Plan) -> str:
        """What is shown, in one line."""
        which = f"{self.run.id}{stand_in_note(plan, self.run)}, seed {self.seed}"
        score = f"accuracy {self.accuracy:.1f} % on {len(self.labels):,} images"
        return f"{which}, sub-head {self.head}: {score}"


def load_predictions(plan: Plan, name: str, root: Path) -> Predictions:
    """The predictions of whole images that the figure `name` shows: its run's first seed.

    Raises:
        FigureError: The scale lacks the run, the run has no probabilities or no labels, or its
            files do not belong together.
        RecordError: One of its files is damaged or has no receipt.
        DataError: Its data is not prepared, or not as it was prepared.
    """
    runs = runs_of(plan, name, maps=False)
    if not runs:
        raise no_run(plan, name)
    run = runs[0]
    seed = run.seeds[0]
    paths = RunPaths(run.scale, run.id, seed)
    evaluation = read_record(root / paths.evaluation, Evaluation)
    of = chosen(evaluation, paths)
    head, mapping = of.head, of.mapping
    assignments = read_assignments(root / paths.assignments)
    if "last" not in assignments:
        raise FigureError(f"{paths.assignments}: checkpoint: 'last' is missing{train_again(paths)}")
    last = assignments["last"]
    probabilities = _probabilities(paths, root, head, last, mapping)
    data = load(run.dataset, root)
    labels = true_classes(paths, last, data)
    scored = np.flatnonzero(
        np.isin(last.indices, data.indices(run.settings.evaluation.test)) & (labels >= 0)
    )
    if not len(scored):
        raise FigureError(f"{paths.assignments}: index: none of the images to score is in it")
    predictions = Predictions(
        run=run,
        seed=seed,
        head=head,
        pixels=data.images,
        indices=last.indices[scored],
        labels=labels[scored],
        clusters=last.clusters[scored, head].astype(np.int64),
        probabilities=probabilities[scored],
        mapping=mapping,
        classes=plan.datasets[run.dataset].classes,
        series=_series(paths, root, head),
    )
    check_accuracy(predictions.accuracy, of, paths)
    return predictions


def _probabilities(
    paths: RunPaths, root: Path, head: int, assignments: Assignments, mapping: Ints
) -> Floats:
    """Cluster probabilities of one sub-head, (n, k)."""
    try:
        every = read_probabilities(root / paths.probabilities)
    except RecordError as error:
        raise FigureError(f"{error}{restore(paths)}") from error
    n, heads = assignments.clusters.shape
    expected = (heads, n, len(mapping))
    if every.shape != expected:
        raise FigureError(
            f"{paths.probabilities}: (sub-heads, images, clusters) are {every.shape}, but "
            f"assignments and evaluation beside it have {expected}{train_again(paths)}"
        )
    of_head: Floats = every[head]
    # rounding to float16 keeps the order, so the most probable cluster stays among the largest
    rows = np.arange(n)
    lower = of_head[rows, assignments.clusters[:, head]] < of_head.max(axis=1)
    if lower.any():
        raise FigureError(
            f"{paths.probabilities}: sub_head {head}: for {int(lower.sum()):,} images the most "
            f"probable cluster is not the one in {paths.assignments}{train_again(paths)}"
        )
    return of_head


def true_classes(paths: RunPaths, assignments: Assignments, data: PreparedData) -> Ints:
    """Classes of the images that a run assigned, (n,), as the dataset has them.

    Raises:
        FigureError: There are none, or the run's are of other data.
    """
    if data.labels is None or assignments.labels is None:
        raise FigureError(f"{paths.assignments}: label: null, so no prediction is right or wrong")
    inside = assignments.indices[-1] < len(data.labels)
    if not inside or not np.array_equal(assignments.labels, data.labels[assignments.indices]):
        raise FigureError(
            f"{paths.assignments}: label: differs from the labels in data/prepared/"
            f"{data.manifest.dataset}, so it was made from other data{train_again(paths)}"
        )
    return assignments.labels


def _series(paths: RunPaths, root: Path, head: int) -> list[Series]:
    sources = {
        f"cluster probabilities, sub-head {head}": training_source(
            paths, paths.probabilities, root
        ),
        f"clusters and true classes, sub-head {head}": training_source(
            paths, paths.assignments, root
        ),
        "chosen sub-head, classes of its clusters": evaluation_source(paths, root),
    }
    return [Series(name=name, seeds=[source]) for name, source in sources.items()]
