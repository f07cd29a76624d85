"""Do the files of a run that speak of the same thing agree with each other?

A forger who seals every receipt again still has to make these agree: probabilities with the
assignments, the data's labels with those beside the assignments, the history with the scores and
the losses, one seed with another. Nothing here needs a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from iic.provenance.audit.beginnings import contradictions
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.truth import Labels, Pixels
from iic.provenance.jobs import Job
from iic.records.assignments import Assignments, read_assignments
from iic.records.counts import Counts, read_counts
from iic.records.evaluation import CheckpointScores, Evaluation
from iic.records.files import RecordError, read_record, sha256_bytes
from iic.records.history import TIME_FIELDS, dump_history, read_history
from iic.records.history_line import HistoryLine
from iic.records.maps import read_maps
from iic.records.outcome import TrainOutcome
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt
from iic.records.snapshots import read_probabilities

ROUNDING = 2.0**-9
"""Relative: probabilities are stored as float16, and two that were apart may be stored as one."""
DECIMALS = 1e-4
"""Percentage points: the history has four decimals."""
NAMED = 3


class TrainedRun(NamedTuple):
    """A training with all of its small files."""

    paths: RunPaths
    settings: Mapping[str, Any]
    """That it ran with, from its receipt."""
    outcome: TrainOutcome
    history: list[HistoryLine]
    evaluation: Evaluation | None


class Contradictions:
    """The runs of a tree, each read once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._labels: dict[str, Labels] = {}
        self._pixels: dict[str, Pixels | None] = {}
        self._contents: dict[str, dict[str, str]] = {}
        """Run -> digest of what a seed found -> path of the file in which it stands."""

    def check(self) -> Iterator[Finding]:
        """Files that contradict others of the same run, dataset or seed."""
        for job, receipt in self.tree.present:
            if job.rule != "train":
                continue
            run = self._read(job, receipt)
            if run is None:
                continue  # said by the checks of integrity and of schemas
            yield from self._history(run, job)
            for wrong in contradictions(receipt, run.outcome.steps, run.history):
                yield _contradiction(str(job.receipt), wrong)
            try:
                yield from self._clusters(run)
            except (RecordError, IndexError):
                continue  # said by the check of metrics

    def _read(self, job: Job, receipt: Receipt) -> TrainedRun | None:
        names, root = job.wildcards, self.tree.root
        run = RunPaths(names["scale"], names["run"], int(names["seed"]))
        try:
            outcome = TrainOutcome.model_validate(receipt.outcome, strict=False)
            history = [
                HistoryLine.model_validate(line, strict=False)
                for line in read_history(root / run.history)
            ]
        except (RecordError, ValidationError):
            return None
        try:
            evaluation = read_record(root / run.evaluation, Evaluation)
        except RecordError:
            evaluation = None
        return TrainedRun(run, receipt.fingerprint.settings, outcome, history, evaluation)

    def _history(self, run: TrainedRun, job: Job) -> Iterator[Finding]:
        """The history against the outcome in the receipt, and against the scores."""
        path, history, checkpoints = str(run.paths.history), run.history, run.outcome.checkpoints
        best = checkpoints.get("best_label")
        last = checkpoints.get("last")
        if last is not None and best is not None and last.epoch == best.epoch:
            if last.losses != best.losses and not _watched_otherwise(run.settings):
                yield _contradiction(
                    str(job.receipt), "outcome: last and best_label are one epoch with two losses"
                )
        if not history:
            return
        if [line.epoch for line in history] != list(range(len(history))):
            yield _contradiction(path, "its epochs are not 0, 1, 2, ...")
            return
        steps = [line.steps for line in history]
        if steps != sorted(steps) or any(line.head for line in history[:1]):
            yield _contradiction(path, "steps become fewer from one epoch to the next")
        said = {"steps": steps[-1], "epoch": history[-1].epoch}
        outcome = {"steps": run.outcome.steps, "epoch": None if last is None else last.epoch}
        for what, value in said.items():
            if value != outcome[what]:
                yield _contradiction(
                    path, f"ends with {what} {value}, and the receipt says {outcome[what]}"
                )
        for name, scores in _scores(run).items():
            if name == "last" and _watched_otherwise(run.settings):
                continue  # what is reported was clustered with more starts than what is watched
            line = history[scores.epoch] if scores.epoch < len(history) else None
            yield from _accuracies(path, name, scores, line)
        if best is not None and _one_set(run.evaluation):
            highest = [max(line.accuracy, default=0.0) for line in history if line.accuracy]
            own = history[best.epoch].accuracy if best.epoch < len(history) else None
            if own and max(own) < max(highest) - DECIMALS:
                yield _contradiction(
                    path, f"epoch {best.epoch} is called the best, and is not: {max(highest):.4f}"
                )

    def _clusters(self, run: TrainedRun) -> Iterator[Finding]:
        """The assignments against the data's labels and the probabilities."""
        place = self.tree.root / run.paths.assignments
        dataset = self.tree.plan.run(run.paths.run).dataset
        if self.tree.plan.datasets[dataset].maps is None:
            assignments = read_assignments(place)
            if dataset not in self._labels:
                self._labels[dataset] = Labels(dataset, self.tree.root)
            wrong = self._labels[dataset].compare(assignments["last"], str(run.paths.assignments))
            if wrong is not None:
                yield _contradiction(str(run.paths.assignments), wrong)
            yield from self._twins(run, [one.clusters for one in assignments.values()])
            if (self.tree.root / run.paths.probabilities).exists():
                yield from self._probabilities(run, assignments["last"])
            return
        counts = read_counts(place)
        if dataset not in self._pixels:
            self._pixels[dataset] = Pixels.of(dataset, self.tree.root)
        pixels = self._pixels[dataset]
        if pixels is not None and (wrong := pixels.compare(counts["last"], run.settings)):
            yield _contradiction(str(run.paths.assignments), wrong)
        yield from self._twins(run, [one.counts for one in counts.values()])
        if (self.tree.root / run.paths.probabilities).exists():
            yield from self._maps(run, counts["last"])

    def _probabilities(self, run: TrainedRun, last: Assignments) -> Iterator[Finding]:
        """The assigned cluster is one of the largest probability."""
        probabilities = read_probabilities(self.tree.root / run.paths.probabilities)
        heads, number, k = probabilities.shape
        path = str(run.paths.probabilities)
        if (number, heads) != last.clusters.shape or k != run.outcome.k_clusters:
            yield _contradiction(
                path,
                f"{number} images, {heads} sub-heads and {k} clusters, other than the assignments",
            )
            return
        clusters = last.clusters.astype(np.int64).T[:, :, None]
        assigned = np.take_along_axis(probabilities, clusters, axis=2)[..., 0]
        low = assigned < probabilities.max(axis=2) * (1 - ROUNDING)
        if low.any():
            head, row = (int(place) for place in np.argwhere(low)[0])
            yield _contradiction(
                path,
                f"in {int(low.sum())} of {low.size} cases the cluster of {run.paths.assignments} "
                f"is not the one of the largest probability, first for image {last.indices[row]}, "
                f"sub-head {head}",
            )

    def _maps(self, run: TrainedRun, last: Counts) -> Iterator[Finding]:
        """No cluster is counted at more pixels than those where its probability is the largest."""
        kept = read_maps(self.tree.root / run.paths.probabilities)
        rows = {int(index): row for row, index in enumerate(last.indices)}
        for place, index in enumerate(kept.indices):
            if int(index) not in rows:
                continue
            counted = last.counts[rows[int(index)]].sum(axis=2)
            maps = kept.probabilities[:, place].astype(np.float32)
            largest = (maps >= maps.max(axis=1, keepdims=True) * (1 - ROUNDING)).sum(axis=(2, 3))
            if counted.shape != largest.shape or (counted > largest).any():
                yield _contradiction(
                    str(run.paths.probabilities),
                    f"image {index}: {run.paths.assignments} counts a cluster at more pixels than "
                    "those where its probability is the largest",
                )
                return

    def _twins(self, run: TrainedRun, found: Sequence[NDArray[np.integer]]) -> Iterator[Finding]:
        """Two seeds of a run that was trained never give the same."""
        others = self._contents.setdefault(run.paths.run, {})
        for digest, path in self._digests(run, found).items():
            if digest in others:
                yield _contradiction(
                    path, f"holds the same as {others[digest]}, and two seeds never give the same"
                )
            others.setdefault(digest, path)

    def _digests(self, run: TrainedRun, found: Sequence[NDArray[np.integer]]) -> dict[str, str]:
        """Digests of what a seed gave -> file; none where nothing was trained."""
        if not any(line.loss for line in run.history):
            return {}
        lines = [line.model_dump(exclude=set(TIME_FIELDS)) for line in run.history]
        digests = {sha256_bytes(dump_history(lines).encode()): str(run.paths.history)}
        # a network that puts all images into one cluster may do so with every seed
        if any((clusters != clusters.flat[0]).any() for clusters in found if clusters.size):
            content = b"".join(clusters.tobytes() for clusters in found)
            digests[sha256_bytes(content)] = str(run.paths.assignments)
        receipt = self.tree.receipt(str(run.paths.receipt))
        weights = str(run.paths.weights)
        for output in receipt.outputs if receipt is not None else ():
            if output.path == weights:
                digests[output.sha256] = weights
        return digests


def _scores(run: TrainedRun) -> dict[str, CheckpointScores]:
    return (
        {} if run.evaluation is None else {str(k): v for k, v in run.evaluation.checkpoints.items()}
    )


def _watched_otherwise(settings: Mapping[str, Any]) -> bool:
    """Whether the training is watched by a k-means of other starts than the one reported."""
    return any(
        part.get("watch_restarts") != part.get("restarts")
        for part in (settings, settings.get("clusters"))
        if isinstance(part, Mapping) and "watch_restarts" in part
    )


def _one_set(evaluation: Evaluation | None) -> bool:
    """Whether the images that choose the best epoch are those whose accuracy the history has."""
    return evaluation is not None and all(
        head.mapping_acc is None
        for checkpoint in evaluation.checkpoints.values()
        for head in checkpoint.sub_heads
    )


def _accuracies(
    path: str, name: str, scores: CheckpointScores, line: HistoryLine | None
) -> Iterator[Finding]:
    """The accuracies of an epoch against those of the checkpoint that it gave."""
    if line is None:
        yield _contradiction(path, f"lacks epoch {scores.epoch}, of which checkpoint {name} is")
        return
    accuracies = [head.acc for head in scores.sub_heads]
    if line.accuracy is None:
        return
    pairs = list(zip(line.accuracy, accuracies, strict=False))
    same = len(line.accuracy) == len(accuracies) and all(
        other is not None and abs(own - other) <= DECIMALS for own, other in pairs
    )
    if not same:
        shown = ", ".join(
            f"{own} and {other}" for own, other in pairs if other is None or own != other
        )
        yield _contradiction(
            path,
            f"epoch {line.epoch} has other accuracies than checkpoint {name} of the evaluation: "
            f"{shown or 'of other sub-heads'}",
        )


def _contradiction(path: str, message: str) -> Finding:
    return Finding(
        level="failure",
        kind="contradiction",
        path=path,
        message=message,
        remedy="find out which of the two is true: take both from git or DVC again, or delete the "
        "run's folders and run the workflow again",
    )
