"""What of a scale is done, what is left, and how many hours that may take: ``iic status``.

Only receipts are read, no outputs, so that an answer takes a second: whether files are what their
receipts say is for ``iic audit``, and why something is stale for ``iic why``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Literal

from pydantic import computed_field

from iic.params.base import Model
from iic.params.cost import CLUSTERING_RATE, CORE_RATES, GPU_RATES
from iic.params.operations import Count, NotCounted, committed
from iic.params.runs import Plan, Run
from iic.provenance import jobs
from iic.provenance.audit.orphans import strangers
from iic.provenance.audit.tree import Tree
from iic.provenance.changes import stands
from iic.provenance.fingerprint import fingerprint
from iic.provenance.runtime import hours_computed
from iic.records.links import Receipts, standing
from iic.records.receipt import Fingerprint, Receipt

State = Literal["done", "stale", "missing"]
"""Done: a receipt of today's or of an accepted fingerprint lies there, and what it was made from
has not been made anew. Stale: another receipt, or a damaged one. Missing: none."""
Basis = Literal["measured", "other seeds", "assumed rate"]
"""Where hours come from: the receipt; receipts of the same run's other seeds; counted operations
(`iic.params.cost`). All but the first are estimates."""


class Hours(Model):
    """Time of computing, by what computes. The two are not to be added up."""

    gpu: float = 0.0
    """Hours of one GPU, for runs with ``gpu: true``."""
    core: float = 0.0
    """Hours of one CPU core, for all others: threads times hours."""

    def __add__(self, other: Hours) -> Hours:
        return Hours(gpu=self.gpu + other.gpu, core=self.core + other.core)


class TrainingStatus(Model):
    """One run with one seed."""

    run: str
    seed: int
    state: State
    hours: Hours | None
    """Measured where it is done, else estimated; null where there is nothing to estimate from."""
    basis: Basis | None


class Summary(Model):
    """Some trainings together."""

    done: int
    stale: int
    missing: int
    hours_spent: Hours
    """Measured, by those that are done."""
    hours_left: Hours
    """Estimate, for those that are stale or missing."""
    without_estimate: int
    """Stale or missing trainings that `hours_left` does not count."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def hours_total(self) -> Hours:
        """Measured and estimated together, each training once."""
        return self.hours_spent + self.hours_left


class DisplayStatus(Model):
    """One table, listing or figure."""

    name: str
    kind: Literal["table", "listing", "figure"]
    state: State
    """Of itself: done only where every training and evaluation that it shows is."""
    trainings: Summary


class Rates(Model):
    """What the estimates rest on: operations in a second, by precision."""

    gpu: dict[str, float] = GPU_RATES
    core: dict[str, float] = CORE_RATES
    clustering: float = CLUSTERING_RATE
    """Of one core, in methods without a network."""


class ScaleStatus(Model):
    """Answer of ``iic status``."""

    scale: str
    displays: tuple[DisplayStatus, ...]
    all_trainings: Summary
    """Each training once, however many tables and figures show it."""
    trainings: tuple[TrainingStatus, ...]
    left_over: int
    """Files in the results that no job of the plan makes, as of a removed seed: ``iic prune``."""
    assumed_rates: Rates = Rates()


def status(plan: Plan, root: Path = Path(), count: Count = committed) -> ScaleStatus:
    """Look at the receipts of a scale.

    Args:
        plan: The scale's plan.
        root: Root of the clone.
        count: Gives the operations of a network's pass; what it does not know stays without an
            estimate.

    Raises:
        SettingsError: The settings are wrong.
        CodeError: A module that a job needs does not exist or is no valid Python.
    """
    return _Look(plan, root, count).status()


class _Look:
    """One look at a scale: each receipt is read once, each fingerprint computed once."""

    def __init__(self, plan: Plan, root: Path, count: Count) -> None:
        self.plan = plan
        self.count = count
        self.scale = plan.scale.name
        self.root = root
        self._receipts = Receipts(root)
        self._states: dict[Path, State] = {}
        self._fingerprints: dict[tuple[str, str], Fingerprint] = {}

    def status(self) -> ScaleStatus:
        plan = self.plan
        shown: list[tuple[Literal["table", "listing", "figure"], str]] = []
        shown += [("table", name) for name in plan.tables]
        shown += [("listing", name) for name in plan.listings]
        shown += [("figure", name) for name in plan.figures]
        return ScaleStatus(
            scale=self.scale,
            displays=tuple(self._display(kind, name) for kind, name in shown),
            all_trainings=_summary(self.trainings.values()),
            trainings=tuple(self.trainings.values()),
            left_over=len(strangers(Tree(plan, self.root))),
        )

    @cached_property
    def trainings(self) -> Mapping[tuple[str, int], TrainingStatus]:
        """Every training by run and seed."""
        return {
            (training.run, training.seed): training
            for run in self.plan.runs.values()
            for training in self._run(run)
        }

    def _run(self, run: Run) -> list[TrainingStatus]:
        """All seeds of a run; those that are left are guessed from those that are done."""
        states = {seed: self._state(jobs.train(self.scale, run.id, seed)) for seed in run.seeds}
        measured = {
            seed: self._measured(run, seed) for seed, state in states.items() if state == "done"
        }
        guess, basis = self._estimate(run, list(measured.values()))
        return [
            TrainingStatus(
                run=run.id,
                seed=seed,
                state=state,
                hours=_hours(run, measured.get(seed, guess)),
                basis="measured" if seed in measured else basis,
            )
            for seed, state in states.items()
        ]

    def _measured(self, run: Run, seed: int) -> float:
        """Hours of the GPU, or of all cores together, that the receipt gives for a training."""
        receipt = self._receipt(jobs.train(self.scale, run.id, seed).receipt)
        assert receipt is not None
        return hours_computed(receipt, run.settings.gpu)

    def _estimate(self, run: Run, measured: list[float]) -> tuple[float | None, Basis | None]:
        if measured:
            return mean(measured), "other seeds"
        try:
            cost = run.settings.cost(self.plan.datasets[run.dataset], self.count)
        except NotCounted:
            cost = None
        return (None, None) if cost is None else (cost.hours(run.settings.gpu), "assumed rate")

    def _display(self, kind: Literal["table", "listing", "figure"], name: str) -> DisplayStatus:
        if kind == "figure":
            places = self.plan.figure_places(name)
        else:
            places = [(run, seed) for run in self.plan.table_runs(name) for seed in run.seeds]
        make = jobs.draw if kind == "figure" else jobs.tabulate
        own = make(self.scale, name)
        state = self._state(own)
        trainings = [self.trainings[run.id, seed] for run, seed in places]
        evaluations = [jobs.evaluate(self.scale, run.id, seed) for run, seed in places]
        below = [*(training.state for training in trainings), *map(self._state, evaluations)]
        if state == "done" and any(other != "done" for other in below):
            state = "stale"
        return DisplayStatus(name=name, kind=kind, state=state, trainings=_summary(trainings))

    def _state(self, job: jobs.Job) -> State:
        if job.receipt not in self._states:
            self._states[job.receipt] = self._judge(job)
        return self._states[job.receipt]

    def _judge(self, job: jobs.Job) -> State:
        if not (self.root / job.receipt).exists():
            return "missing"
        receipt = self._receipt(job.receipt)
        if receipt is None:
            return "stale"
        # a fingerprint is the same for every seed
        key = (job.rule, job.wildcards.get("run") or job.wildcards["name"])
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint(job)
        current = self._fingerprints[key]
        return "done" if stands(receipt, current) and self._linked(receipt) else "stale"

    def _linked(self, receipt: Receipt) -> bool:
        """Whether the parents of a receipt are those that lie there now."""
        return all(
            standing(receipt, link, self._receipts) in ("holds", "not here")
            for link in receipt.parents
        )

    def _receipt(self, path: Path) -> Receipt | None:
        """The receipt, or None where there is none or it is damaged."""
        return self._receipts.receipt(str(path))


def _hours(run: Run, hours: float | None) -> Hours | None:
    if hours is None:
        return None
    return Hours(gpu=hours) if run.settings.gpu else Hours(core=hours)


def _summary(trainings: Iterable[TrainingStatus]) -> Summary:
    trainings = list(trainings)
    left = [training for training in trainings if training.state != "done"]
    states = [training.state for training in trainings]
    return Summary(
        done=states.count("done"),
        stale=states.count("stale"),
        missing=states.count("missing"),
        hours_spent=_sum(training.hours for training in trainings if training.state == "done"),
        hours_left=_sum(training.hours for training in left),
        without_estimate=sum(training.hours is None for training in left),
    )


def _sum(hours: Iterable[Hours | None]) -> Hours:
    return sum((each for each in hours if each is not None), Hours())
