"""Do trainings, repeated now, come out as the results say?

A sample of the short ones is trained again, on data that are prepared again from the raw bytes. No
receipt has a say in what is drawn: the auditor's nonce draws, and the cost model says what is
short. On the kind of machine that made the results
(`iic.provenance.audit.kinds`) weights, assignments and history without its times have to have the
same bytes. On another kind bytes may differ, and accuracies have to lie within a tolerance.
"""

from __future__ import annotations

import logging
import math
import random
import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from iic.evaluate.matching import EvaluationError
from iic.evaluate.run import evaluate_run
from iic.params.operations import committed
from iic.provenance.audit.beginnings import repeat_beginning
from iic.provenance.audit.candidates import obstacle
from iic.provenance.audit.comparison import (
    TRAINED,
    UNTRAINED,
    Difference,
    accuracies,
    compare,
    nearest,
    recorded_seconds,
    with_chance,
)
from iic.provenance.audit.kinds import differences_of_kind
from iic.provenance.audit.preparation import Preparations
from iic.provenance.audit.report import Finding, Rerun, Reruns
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.workshop import gpus, repeat, workshop
from iic.provenance.jobs import Job
from iic.provenance.runtime import seconds_estimated
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.paths import DATA, RESULTS, RunPaths
from iic.records.receipt import Receipt

log = logging.getLogger(__name__)

NAMED = 4
"""Trainings that a message names one by one."""
PATIENCE = 20
"""A repetition is given up after so many times what it is thought to take, and `LEAST_SECONDS`."""
LEAST_SECONDS = 300


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    number: int
    """Trainings to repeat."""
    nonce: str = field(default_factory=lambda: secrets.token_hex(4))
    """Draws the sample; whoever made the results cannot have known it."""
    most_seconds: float = 60.0
    """Trainings that are thought to take longer are left out of it."""
    tolerance: float | None = None
    """Percentage points of accuracy between different machines; None for those declared."""
    steps: int | None = None
    """First steps to repeat, whatever a whole training takes; None for whole trainings."""


class Repetitions:
    """Trainings of a tree, and how they come out when they are repeated."""

    def __init__(self, tree: Tree, request: Request) -> None:
        self.tree = tree
        self.request = request
        self._trainings: list[Rerun] = []
        self._reasons: dict[str, list[str]] = defaultdict(list)

    @cached_property
    def possible(self) -> list[tuple[Job, Receipt]]:
        """Trainings that can be repeated here, in the order of the plan."""
        trainings = []
        for job, receipt in self.tree.present:
            if job.rule == "train":
                reason = self._obstacle(job, receipt)
                if reason is None:
                    trainings.append((job, receipt))
                else:
                    self._reasons[reason].append(job.target)
        return trainings

    def check(self) -> Iterator[Finding]:
        """Repeat the sample; findings about what differs, and about what could not be repeated."""
        number = min(self.request.number, len(self.possible))
        places = random.Random(self.request.nonce).sample(range(len(self.possible)), number)
        if number:
            with workshop(self.tree.root) as folder:
                preparations = Preparations(self.tree.root, folder)
                for training in sorted(places):
                    yield from self._one(*self.possible[training], preparations)
        for reason, names in self._reasons.items():
            more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield self._note(
                f"{len(names)} trainings were no candidates for a re-run: {reason}: "
                f"{', '.join(names[:NAMED])}{more}"
            )
        if number < self.request.number:
            yield self._note(f"{self.request.number} re-runs were asked for, {number} are possible")

    @property
    def report(self) -> Reruns:
        """What has been repeated, once `check` is through."""
        return Reruns(
            asked=self.request.number,
            nonce=self.request.nonce,
            most_seconds=self.request.most_seconds,
            tolerance=self.request.tolerance,
            possible=len(self.possible),
            impossible={reason: len(names) for reason, names in self._reasons.items()},
            trainings=self._trainings,
        )

    def _obstacle(self, job: Job, receipt: Receipt) -> str | None:
        """Why a training cannot be repeated; None where it can."""
        most = self.request.most_seconds
        if self.request.steps is not None:
            most = math.inf
            if not receipt.trajectory:
                return "their receipts have no losses of first steps"
        return obstacle(self.tree, job, receipt, most, lambda: self._gpus)

    @cached_property
    def _gpus(self) -> int:
        return gpus()

    def _one(self, job: Job, receipt: Receipt, data: Preparations) -> Iterator[Finding]:
        took = recorded_seconds(receipt)
        log.info("repeating %s, which took %.0f s by its receipt", job.name, took)
        run = self.tree.plan.run(job.wildcards["run"])
        wrong = data.make(run.dataset, self.tree.plan.datasets[run.dataset])
        wrong = wrong or data.differs(receipt)
        if wrong is not None:
            yield _failure(str(job.receipt), f"{job.name}: {wrong}")
            return
        repeated = self._entire if self.request.steps is None else self._beginning
        with workshop(self.tree.root, data.folder / DATA) as folder:
            result, findings = repeated(job, receipt, folder)
        yield from findings
        self._trainings.append(result)

    def _beginning(self, job: Job, receipt: Receipt, folder: Path) -> tuple[Rerun, list[Finding]]:
        steps = self.request.steps
        assert steps is not None
        result = repeat_beginning(job, receipt, folder, self.tree.root, steps, LEAST_SECONDS)
        told = f"{job.name}: {'; '.join(result.differences)}"
        if result.other_machine:
            told += f" (on another kind of machine: {'; '.join(result.other_machine)})"
        if result.outcome == "not compared":
            return result, [self._note(told)]
        return result, [_failure(str(job.receipt), told)] if result.differences else []

    def _entire(self, job: Job, receipt: Receipt, folder: Path) -> tuple[Rerun, list[Finding]]:
        thought = seconds_estimated(self.tree.plan, self.tree.plan.run(job.wildcards["run"])) or 0.0
        patience = max(LEAST_SECONDS, PATIENCE * thought)
        done = repeat(job, receipt, folder, self.tree.root, patience)
        result = Rerun(
            run=job.wildcards["run"],
            seed=int(job.wildcards["seed"]),
            outcome="not compared",
            recorded_seconds=recorded_seconds(receipt),
            seconds=round(done.seconds, 3),
        )
        if done.timed_out:
            why = f"given up after {done.seconds:.0f} s, {thought:.0f} s were thought enough"
            note = self._note(f"the re-run of {job.name} was {why}")
            return result.model_copy(update={"differences": [why]}), [note]
        if done.error is not None:
            failed = _failure(str(job.receipt), f"{job.name} cannot be trained again: {done.error}")
            update = {"outcome": "failed", "differences": [done.error]}
            return result.model_copy(update=update), [failed]
        again = read_record(folder / job.receipt, Receipt)
        different = list(compare(receipt, again, self.tree.root, folder))
        other = differences_of_kind(receipt.environment, again.environment)
        if not again.deterministic:
            other.append("the training was not deterministic")
        result = result.model_copy(
            update={
                "other_machine": other,
                "differences": [f"{path}: {message}" for path, message in different],
            }
        )
        return self._judged(job, result, different, self._scores(job, folder))

    def _scores(self, job: Job, folder: Path) -> tuple[Evaluation, Evaluation] | None:
        """Evaluation in the results and of the repetition; None where there is none to compare."""
        names = job.wildcards
        run = RunPaths(names["scale"], names["run"], int(names["seed"]))
        chosen = self.tree.plan.run(run.run)
        dataset = self.tree.plan.datasets[chosen.dataset]
        try:
            then = read_record(self.tree.root / run.evaluation, Evaluation)
            now = evaluate_run(run, chosen.settings.evaluation, dataset, folder)
        except (RecordError, EvaluationError):
            return None  # said by the check of metrics
        return then, now

    def _judged(
        self,
        job: Job,
        result: Rerun,
        different: list[Difference],
        scores: tuple[Evaluation, Evaluation] | None,
    ) -> tuple[Rerun, list[Finding]]:
        """The outcome, and a finding for each file that should be the same and is not."""
        pairs = {} if scores is None else accuracies(*scores)
        result = result.model_copy(update={"accuracies": pairs})
        if not different:
            return result.model_copy(update={"outcome": "same bytes"}), []
        if result.other_machine:
            return self._of_another_kind(job, result, different, scores)
        shown = "; ".join(
            f"{name} {then:.2f} then, {now:.2f} now" for name, (then, now) in pairs.items()
        )
        told = f"; accuracies: {shown}" if shown else ""
        return result.model_copy(update={"outcome": "different"}), [
            _failure(
                path,
                f"{job.name}, trained again on the same kind of machine, gives another "
                f"{path.rsplit('/', 1)[1]}: {message}{told}",
            )
            for path, message in different
        ]

    def _of_another_kind(
        self,
        job: Job,
        result: Rerun,
        different: list[Difference],
        scores: tuple[Evaluation, Evaluation] | None,
    ) -> tuple[Rerun, list[Finding]]:
        """Bytes may differ, and do: that is said, and accuracies are compared."""
        files = ", ".join(path.rsplit("/", 1)[1] for path, _ in different)
        told = (
            f"{job.name}, trained again, gives other bytes in {files}, and what decides them "
            f"differs: {'; '.join(result.other_machine)}"
        )
        if scores is None or not result.accuracies:
            return result, [self._note(f"{told}. There are no accuracies to compare")]
        points = self.request.tolerance
        if points is None:
            run = self.tree.plan.run(result.run)
            cost = run.settings.cost(self.tree.plan.datasets[run.dataset], committed)
            points = UNTRAINED if cost is not None and not cost.training else TRAINED
        compared, beyond = [], []
        for name, (then, _) in result.accuracies.items():
            now = nearest(name, then, scores[1])
            limit = with_chance(points, now, scores[1].n_scoring)
            compared.append(
                f"{name} {then:.2f} then, {now:.2f} now, {limit:.2f} points are allowed"
            )
            if abs(then - now) > limit:
                beyond.append(compared[-1])
        if not beyond:
            shown = "; ".join(compared)
            return result.model_copy(update={"outcome": "within tolerance"}), [
                self._note(f"{told}. Accuracies are within the tolerance: {shown}")
            ]
        path = str(RunPaths(self.tree.scale, result.run, result.seed).evaluation)
        return result.model_copy(update={"outcome": "beyond tolerance"}), [
            Finding(
                level="failure",
                kind="rerun",
                path=path,
                message=f"{told}. Accuracies are beyond the tolerance: {'; '.join(beyond)}",
                remedy="the number depends on the machine, or nobody measured it: repeat the "
                "re-run on the kind of machine that the receipt names",
            )
        ]

    def _note(self, message: str) -> Finding:
        path = str(RESULTS / self.tree.scale)
        return Finding(level="note", kind="rerun", path=path, message=message)


def _failure(path: str, message: str) -> Finding:
    return Finding(
        level="failure",
        kind="rerun",
        path=path,
        message=message,
        remedy="find out what gave the recorded numbers; delete the run's folders and run the "
        "workflow again to have today's",
    )
