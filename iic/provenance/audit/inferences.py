"""Which runs are computed again from their weights, and what comes of it.

The work is done by processes of its own (`iic.provenance.audit.inference`), so that the audit loads
no torch, uses all processors, and ends when its time does.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Any

from iic.params.operations import NotCounted, committed
from iic.provenance import isolated
from iic.provenance.audit.excerpts import run_paths
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.provenance.machine import usable_processors
from iic.records.paths import DATA, RESULTS, prepared_manifest
from iic.records.receipt import Receipt

MODULE = "iic.provenance.audit.inference"
NAMED = 4
"""Runs that a note names one by one."""


@dataclass(frozen=True)
class InferenceRequest:
    """What is asked for."""

    most_seconds: float = 120.0
    """Of all runs together; those of the fewest threads come first, of them the cheapest."""
    required: bool = False
    """Whether it is a failure if not one run could be computed."""


class Inferences:
    """Runs of a tree whose predictions are computed again."""

    def __init__(self, tree: Tree, request: InferenceRequest) -> None:
        self.tree = tree
        self.request = request
        self.inferred = 0
        """Runs that were computed again and compared."""
        self._left: dict[str, list[str]] = defaultdict(list)
        """Reason -> runs that were not computed again."""

    def check(self) -> Iterator[Finding]:
        """Runs whose weights give something else than they say."""
        trainings = {}
        for job, receipt in self.tree.present:
            if job.rule == "train":
                reason = self._obstacle(job, receipt)
                if reason is None:
                    trainings[job.target] = job
                else:
                    self._left[reason].append(job.target)
        said = ""
        for results, last_words in self._results(list(trainings.values())):
            said = said or last_words
            for result in results:
                job = trainings.pop(f"{result['run']}/seed{result['seed']}")
                self.inferred += 1
                yield from judged(job, result)
        if trainings:
            why = said or f"{self.request.most_seconds:g} s are over (--infer-seconds)"
            self._left[why] += trainings
        for reason, names in self._left.items():
            more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield Finding(
                level="failure" if self.request.required and not self.inferred else "note",
                kind="inference",
                path=str(RESULTS / self.tree.scale),
                message=f"{len(names)} runs were not computed again from their weights: {reason}: "
                f"{', '.join(names[:NAMED])}{more}",
            )

    def _obstacle(self, job: Job, receipt: Receipt) -> str | None:
        changed, acceptance = self.tree.drift(job, receipt)
        if changed and (acceptance is None or not all(change.acceptable for change in changed)):
            return "they are stale"
        dataset = self.tree.plan.run(job.wildcards["run"]).dataset
        if not self.tree.exists(str(prepared_manifest(dataset))):
            return f"the data of {dataset} are not here (iic restore)"
        base = [read.path for read in receipt.inputs if not read.path.startswith(f"{DATA}/")]
        if not all(map(self.tree.exists, base)):
            return "the weights that they start from are not here (iic restore)"
        paths = run_paths(job)
        here = any(self.tree.exists(str(path)) for path in (paths.weights, paths.excerpt))
        named = any(output.path == str(paths.weights) for output in receipt.outputs)
        # without a step nothing was learnt that the seed does not give
        if named and not here and receipt.outcome.get("steps") != 0:
            return "their weights are not here (iic restore)"
        return None

    def _threads(self, job: Job) -> int:
        return self.tree.plan.run(job.wildcards["run"]).settings.threads

    def _operations(self, job: Job) -> float:
        """What a prediction costs, and a method without a network at all: the cost model's."""
        run = self.tree.plan.run(job.wildcards["run"])
        try:
            cost = run.settings.cost(self.tree.plan.datasets[run.dataset], committed)
        except NotCounted:
            cost = None
        return float("inf") if cost is None else cost.evaluation + cost.clustering

    def _results(self, jobs: list[Job]) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """What each process found, and its last words where it ended before its time.

        As many run at once as have a processor for each of their threads, whose number decides the
        last bits.
        """
        end = time.monotonic() + self.request.most_seconds
        for threads, group in groupby(sorted(jobs, key=self._threads), self._threads):
            ordered = sorted(group, key=self._operations)
            side_by_side = min(len(ordered), max(1, usable_processors() // threads))
            shares = [ordered[first::side_by_side] for first in range(side_by_side)]
            with ThreadPoolExecutor(side_by_side) as pool:
                yield from pool.map(self._start, shares, repeat(end))

    def _start(self, ordered: list[Job], end: float) -> tuple[list[dict[str, Any]], str]:
        if end <= time.monotonic():
            return [], ""
        words = [word for job in ordered for word in (job.wildcards["run"], job.wildcards["seed"])]
        # the audit's own code and not the clone's, should they not be the same
        command, variables = isolated.another(
            MODULE, [self.tree.scale, *words], self.tree.root, isolated.SOURCE
        )
        try:
            done = subprocess.run(
                command,
                cwd=self.tree.root,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=max(0.0, end - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return _lines(error.stdout or b""), ""
        told = " ".join(done.stderr.decode(errors="replace").split())[-400:]
        return _lines(done.stdout), told if done.returncode else ""


def _lines(output: bytes) -> list[dict[str, Any]]:
    """Whole lines of JSON; a method may print something of its own besides."""
    whole = output.decode(errors="replace").rpartition("\n")[0].splitlines()
    return [json.loads(line) for line in whole if line.startswith('{"run":')]


def judged(job: Job, result: dict[str, Any]) -> Iterator[Finding]:
    """What came of a run.

    Args:
        job: Its training.
        result: Fields of `iic.provenance.audit.inference.Inferred`.
    """
    other = result["other_machine"]
    machines = f" (on another kind of machine: {'; '.join(other)})" if other else ""
    found = dict(result["different"])
    if result["error"] is not None:
        found[str(job.receipt)] = f"cannot be computed again: {result['error']}"
    for path, message in found.items():
        yield Finding(
            level="failure",
            kind="inference",
            path=path,
            message=f"{job.name}: {message}{machines}",
            remedy="find out what gave the recorded numbers: take weights and results from git and "
            "DVC again, or delete the run's folders and run the workflow again",
        )
