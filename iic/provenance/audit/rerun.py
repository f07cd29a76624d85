"""Do trainings, repeated now, come out as the results say?

A seeded sample of the short ones is trained again. On the kind of machine that made the results
(`iic.provenance.audit.kinds`) weights, assignments and history without its times have to have the
same bytes. On another kind bytes may differ, and accuracies have to lie within a tolerance.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from iic.evaluate.matching import EvaluationError
from iic.evaluate.run import evaluate_run
from iic.provenance.audit.comparison import (
    Difference,
    accuracies,
    allowed,
    compare,
)
from iic.provenance.audit.kinds import differences_of_kind
from iic.provenance.audit.report import Finding, Rerun, Reruns
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.workshop import gpus, repeat, workshop
from iic.provenance.jobs import Job
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.links import standing
from iic.records.paths import RESULTS, RunPaths
from iic.records.receipt import Receipt

log = logging.getLogger(__name__)

NAMED = 4
"""Trainings that a message names one by one."""
PATIENCE = 20
"""A repetition is given up after so many times what the training took, and `LEAST_SECONDS`."""
LEAST_SECONDS = 300


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    number: int
    """Trainings to repeat."""
    seed: int = 0
    """Of the sample."""
    most_seconds: float = 60.0
    """Trainings that took longer are left out of it."""
    tolerance: float = 2.0
    """Percentage points of accuracy between different machines."""


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
        places = random.Random(self.request.seed).sample(range(len(self.possible)), number)
        for training in sorted(places):
            yield from self._one(*self.possible[training])
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
            seed=self.request.seed,
            most_seconds=self.request.most_seconds,
            tolerance=self.request.tolerance,
            possible=len(self.possible),
            impossible={reason: len(names) for reason, names in self._reasons.items()},
            trainings=self._trainings,
        )

    def _obstacle(self, job: Job, receipt: Receipt) -> str | None:
        """Why a training cannot be repeated; None where it can."""
        changed, acceptance = self.tree.drift(job, receipt)
        if changed and (acceptance is None or not all(change.acceptable for change in changed)):
            return "they are stale, so today's code or settings give other numbers"
        if recorded_seconds(receipt) > self.request.most_seconds:
            return f"they took more than {self.request.most_seconds:g} s"
        if self.tree.plan.run(job.wildcards["run"]).settings.gpu and not self._gpus:
            return "they need a GPU, and there is none here"
        for link in receipt.parents:
            state = standing(receipt, link, self.tree.receipts)
            if state == "another":
                return f"{_whose(link.path)} other than those which they were made from"
            if state != "holds":
                return f"{_whose(link.path)} not here (iic restore)"
        for read in receipt.inputs:
            sha256 = self.tree.sha256(read.path)
            if sha256 is None:
                return f"{_whose(read.path)} not here (iic restore)"
            if sha256 != read.sha256:
                return f"{_whose(read.path)} other than those which they were made from"
        return None

    @cached_property
    def _gpus(self) -> int:
        return gpus()

    def _one(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        recorded = recorded_seconds(receipt)
        log.info("repeating %s, which took %.0f s", job.name, recorded)
        with workshop(self.tree.root) as folder:
            patience = max(LEAST_SECONDS, PATIENCE * recorded)
            done = repeat(job, receipt, folder, self.tree.root, patience)
            result = Rerun(
                run=job.wildcards["run"],
                seed=int(job.wildcards["seed"]),
                outcome="not compared",
                recorded_seconds=recorded,
                seconds=round(done.seconds, 3),
            )
            if done.timed_out:
                why = f"given up after {done.seconds:.0f} s, it had taken {recorded:.0f} s"
                result = result.model_copy(update={"differences": [why]})
                yield self._note(f"the re-run of {job.name} was {why}")
            elif done.error is not None:
                result = result.model_copy(
                    update={"outcome": "failed", "differences": [done.error]}
                )
                yield _failure(
                    str(job.receipt), f"{job.name} cannot be trained again: {done.error}"
                )
            else:
                again = read_record(folder / job.receipt, Receipt)
                different = list(compare(receipt, again, self.tree.root, folder))
                other = differences_of_kind(receipt.environment, again.environment)
                if not receipt.deterministic:
                    other.append("the training was not deterministic")
                result = result.model_copy(
                    update={
                        "other_machine": other,
                        "differences": [f"{path}: {message}" for path, message in different],
                    }
                )
                scores = self._scores(job, folder)
                result, findings = self._judged(job, result, different, scores)
                yield from findings
        self._trainings.append(result)

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
        limits = {
            name: allowed(name, *scores, self.request.tolerance) for name in result.accuracies
        }
        compared = {
            name: f"{name} {then:.2f} then, {now:.2f} now, {limits[name]:.2f} points are allowed"
            for name, (then, now) in result.accuracies.items()
        }
        beyond = [
            compared[name]
            for name, (then, now) in result.accuracies.items()
            if abs(then - now) > limits[name]
        ]
        if not beyond:
            shown = "; ".join(compared.values())
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


def recorded_seconds(receipt: Receipt) -> float:
    """What a training took, in all its sessions."""
    sessions = sum((session.end - session.start).total_seconds() for session in receipt.sessions)
    return max(receipt.timing.seconds, sessions)


def _whose(path: str) -> str:
    """The folder whose files are meant, e.g. ``the data in data/prepared/mnist are``."""
    folder = path.rsplit("/", 1)[0]
    if path.startswith("data/"):
        return f"the data in {folder} are"
    return f"the files in {folder}, which they start from, are"


def _failure(path: str, message: str) -> Finding:
    return Finding(
        level="failure",
        kind="rerun",
        path=path,
        message=message,
        remedy="find out what gave the recorded numbers; delete the run's folders and run the "
        "workflow again to have today's",
    )
