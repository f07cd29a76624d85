"""Could the receipts be true? Times run forward along the graph, and no machine is that fast.

Clocks of two machines differ a little, so some minutes are nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from iic.params.operations import NotCounted, committed
from iic.params.runs import Run
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records.files import RecordError
from iic.records.history import read_history
from iic.records.paths import DATA, RunPaths
from iic.records.receipt import Receipt

CLOCKS = timedelta(minutes=5)
"""How far two clocks may be apart."""
ROUNDING_SECONDS = 1.0
LARGEST_GPU_RATE = 5e15
"""Operations in a second that no single GPU does."""
LARGEST_THREAD_RATE = 5e12
"""Those that no core does, matrix units in bfloat16 included."""


def check(tree: Tree) -> Iterator[Finding]:
    """Receipts that say what cannot have been."""
    latest = datetime.now(UTC) + CLOCKS
    for job, receipt in tree.present:
        said = [*_times(tree, receipt, latest), *_data(tree, job, receipt)]
        if job.rule == "train":
            said += [
                *_sessions(receipt),
                *_duration(tree, job, receipt),
                *_work(tree, job, receipt),
            ]
        for message in said:
            yield Finding(
                level="failure",
                kind="implausible",
                path=str(job.receipt),
                message=message,
                remedy="find out who wrote this receipt; delete the job's files and run the "
                "workflow again to have one of today",
            )


def _times(tree: Tree, receipt: Receipt, latest: datetime) -> Iterator[str]:
    """No job ends in the future, and none starts before what it read was there."""
    timing = receipt.timing
    if timing.end > latest:
        yield f"ended at {timing.end:%Y-%m-%d %H:%M}, still to come, or the clock is wrong"
    took = (timing.end - timing.start).total_seconds()
    if took >= 0 and abs(took - timing.seconds) > ROUNDING_SECONDS:
        yield f"took {timing.seconds:g} s, and {took:g} s from its start to its end"
    for link in receipt.parents:
        # data may have been obtained anew since, and an evaluation be made anew for its code
        if link.path.startswith(f"{DATA}/"):
            continue
        parent = tree.receipt(link.path)
        if parent is None or tree.digest(link.path) != link.digest:
            continue
        early = parent.timing.end - timing.start
        if early > CLOCKS:
            yield (
                f"started at {timing.start:%Y-%m-%d %H:%M:%S}, {early} before {link.path}, which "
                "it read, was written"
            )


def _data(tree: Tree, job: Job, receipt: Receipt) -> Iterator[str]:
    """Stand-ins are called so, and nothing else is."""
    dataset = job.wildcards.get("dataset")
    if "run" in job.wildcards:
        dataset = tree.plan.run(job.wildcards["run"]).dataset
    if dataset is None:
        return
    stand_in = tree.plan.datasets[dataset].stand_in
    if receipt.stand_in != stand_in:
        names = {True: "stand-in data", False: "real data"}
        yield (
            f"says that it is of {names[receipt.stand_in]}, and {dataset} is called "
            f"{names[stand_in]} in params/datasets.yaml"
        )


def _sessions(receipt: Receipt) -> Iterator[str]:
    """The processes of a training follow each other, step by step, within the job's time."""
    sessions = receipt.sessions
    if not sessions:
        return
    steps = receipt.outcome.get("steps")
    if sessions[0].first_step != 0 or sessions[-1].last_step != steps:
        yield (
            f"its sessions go from step {sessions[0].first_step} to {sessions[-1].last_step}, and "
            f"it has {steps} steps"
        )
    for before, after in pairwise(sessions):
        if before.last_step != after.first_step:
            yield f"a session ends with step {before.last_step}, not {after.first_step}"
        if before.end - after.start > CLOCKS:
            yield f"a session starts at {after.start:%H:%M:%S}, before the one before it ended"
    if sessions[-1].end - receipt.timing.end > CLOCKS:
        yield "its last session ends after the job"
    if receipt.deterministic is False and not receipt.fingerprint.settings.get("gpu"):
        yield "was not deterministic, as every training on a CPU is"
    environment = receipt.environment
    if sessions[-1].torch.split("+")[0] != environment.packages.get("torch", "").split("+")[0]:
        yield f"was trained by torch {sessions[-1].torch}, and names another as installed"
    for session in sessions:
        if (session.device != "cpu") != bool(receipt.fingerprint.settings.get("gpu")):
            yield f"a session ran on {session.device}, which its settings do not ask for"
        if session is sessions[-1] and session.device not in ("cpu", environment.gpu):
            yield f"a session ran on {session.device}, and the machine has {environment.gpu}"


def _computed(receipt: Receipt) -> float:
    """Seconds of all processes of a training."""
    earlier = [(session.end - session.start).total_seconds() for session in receipt.sessions[:-1]]
    return receipt.timing.seconds + sum(earlier)


def _duration(tree: Tree, job: Job, receipt: Receipt) -> Iterator[str]:
    """The epochs of the history fit into the time of the job."""
    names = job.wildcards
    run = RunPaths(names["scale"], names["run"], int(names["seed"]))
    try:
        epochs = [line.get("seconds", 0) for line in read_history(tree.root / run.history)]
        total = float(sum(epochs))
    except (RecordError, TypeError):
        return  # said by the check of schemas
    allowed = _computed(receipt) + ROUNDING_SECONDS * (1 + len(receipt.sessions))
    if total > allowed:
        yield (
            f"took {_computed(receipt):g} s, and the epochs of its history {total:.1f} s together"
        )


def _work(tree: Tree, job: Job, receipt: Receipt) -> Iterator[str]:
    """No machine does so many operations in that time, nor a run other steps than its schedule."""
    run: Run = tree.plan.run(job.wildcards["run"])
    if tree.drift(job, receipt)[0]:
        return  # of other settings than today's, whose cost nobody knows
    try:
        cost = run.settings.cost(tree.plan.datasets[run.dataset], committed)
    except NotCounted:
        return
    steps = receipt.outcome.get("steps")
    if cost is None or not isinstance(steps, int):
        return
    if steps > cost.steps:
        yield f"says {steps} optimiser steps, and its settings give {cost.steps} at most"
    elif cost.steps and receipt.timing.seconds >= 0:
        operations = cost.training * steps / cost.steps
        threads = receipt.environment.threads
        largest = LARGEST_GPU_RATE if run.settings.gpu else LARGEST_THREAD_RATE * threads
        seconds = max(_computed(receipt), 1e-3)
        if operations > largest * seconds:
            yield (
                f"says that {steps} steps, {operations:.2g} operations, took {seconds:g} s, which "
                f"no {'GPU' if run.settings.gpu else f'{threads} threads'} can do"
            )
