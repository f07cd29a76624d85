"""Hours that a training asks a batch system for: by what it took, else by what it is thought to.

A training that needs more goes on from its checkpoint at the next attempt, with more time.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from iic.params.operations import NotCounted, committed
from iic.params.runs import Plan, Run
from iic.provenance import fingerprint
from iic.records.files import RecordError, read_record
from iic.records.receipt import Receipt

FACTOR = 3
"""So many times as long as measured or estimated: machines differ, and share their disks."""
LEAST_MEASURED, LEAST_ESTIMATED = 1, 2
"""Hours asked for at least."""
UNKNOWN = 24
"""Hours where there is neither receipt nor estimate."""
STEPS_PER_HOUR = 20 * 3600
"""Optimiser steps that a machine does at least, however small: estimates leave out what is around
the networks."""

NO_MATTER = ("threads", "method")
"""Settings that may differ: hours are those of all threads together, and a module may move."""


def hours_asked(plan: Plan, run: Run, root: Path = Path()) -> int:
    """Whole hours that a training of a run asks for at its first attempt.

    The longest receipt decides, of those at any scale that have the same settings, whatever
    their threads.

    Args:
        plan: The scale's plan.
        run: The run, of all whose seeds the same is expected.
        root: Root of the clone.
    """
    taken = _longest(run, root)
    if taken is not None:
        return max(LEAST_MEASURED, math.ceil(FACTOR * taken))
    estimate = _estimate(plan, run)
    if estimate is None:
        return UNKNOWN
    computing, around = estimate
    return max(LEAST_ESTIMATED, round(FACTOR * computing + around))


def seconds_estimated(plan: Plan, run: Run) -> float | None:
    """Seconds that a training is thought to take, whatever any receipt says; None for no idea."""
    estimate = _estimate(plan, run)
    return None if estimate is None else 3600 * sum(estimate)


def _estimate(plan: Plan, run: Run) -> tuple[float, float] | None:
    """Hours of the operations, and of what is around them in each step."""
    try:
        cost = run.settings.cost(plan.datasets[run.dataset], committed)
    except NotCounted:
        cost = None
    if cost is None:
        return None
    return cost.hours(run.settings.gpu) / _workers(run), cost.steps / STEPS_PER_HOUR


def hours_computed(receipt: Receipt, gpu: bool) -> float:
    """Hours of one GPU, or of all cores together, that a training took in all its processes.

    Args:
        receipt: The training's.
        gpu: Whether its settings ask for a GPU.
    """
    # the job's own time is that of the last process; a run that was interrupted had others
    earlier = [(session.end - session.start).total_seconds() for session in receipt.sessions[:-1]]
    seconds = receipt.timing.seconds + sum(earlier)
    return seconds / 3600 * (1 if gpu else receipt.environment.threads)


def _longest(run: Run, root: Path) -> float | None:
    """Hours that a training of these settings would take with the run's threads, by receipts."""
    paths = sorted(root.glob(f"results/*/runs/{run.id}/seed*/run.json"))
    if not paths:
        return None
    settings = fingerprint.train(run.scale, run.id).settings
    taken = []
    for path in paths:
        try:
            receipt = read_record(path, Receipt)
        except RecordError:
            continue
        if _agree(settings, receipt.fingerprint.settings):
            taken.append(hours_computed(receipt, run.settings.gpu) / _workers(run))
    return max(taken, default=None)


def _agree(settings: Any, earlier: Any, key: str = "") -> bool:
    """Whether settings are those of a receipt, which lacks what came later."""
    if key in NO_MATTER:
        return True
    if not (isinstance(settings, dict) and isinstance(earlier, dict)):
        return bool(settings == earlier)
    return all(_agree(settings[key], earlier[key], key) for key in settings.keys() & earlier.keys())


def _workers(run: Run) -> int:
    return 1 if run.settings.gpu else run.settings.threads
