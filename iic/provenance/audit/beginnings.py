"""The first steps of a training against the losses that its receipt has of them.

`iic.provenance.audit.beginning` takes them, in a process of its own.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from iic.provenance import isolated
from iic.provenance.audit.comparison import recorded_seconds
from iic.provenance.audit.kinds import differences_of_kind
from iic.provenance.audit.report import Rerun
from iic.provenance.audit.workshop import SHOWN, link_base
from iic.provenance.jobs import Job
from iic.records.history_line import HistoryLine
from iic.records.receipt import Environment, Receipt

MODULE = "iic.provenance.audit.beginning"
KEPT = 20
"""First steps whose losses a receipt has; `iic.engine.loop` says so too, and loads torch."""
SHARE = 0.02
"""Of the largest loss: how far losses may be apart between two kinds of machines."""
ROUNDING = 1e-9
"""Relative, of the mean of a pass: it is summed in another order."""


def repeat_beginning(
    job: Job, receipt: Receipt, folder: Path, root: Path, steps: int, most_seconds: float
) -> Rerun:
    """Take the first steps of a training again, and compare.

    Args:
        job: A job of the rule ``train``.
        receipt: Its receipt, with a trajectory.
        folder: A workshop (`iic.provenance.audit.workshop`).
        root: Root of the clone.
        steps: Steps to take.
        most_seconds: When to give up.
    """
    link_base(receipt, folder, root)
    names, threads = job.wildcards, str(receipt.environment.threads)
    words = [names["scale"], names["run"], names["seed"], str(steps), threads]
    command, variables = isolated.another(MODULE, words, folder)
    result = Rerun(
        run=names["run"],
        seed=int(names["seed"]),
        steps=min(steps, len(receipt.trajectory)),
        outcome="not compared",
        recorded_seconds=recorded_seconds(receipt),
        seconds=0.0,
    )
    start = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=most_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"{steps} steps were not done in {most_seconds:g} s"
        return result.model_copy(update={"seconds": most_seconds, "differences": [why]})
    result = result.model_copy(update={"seconds": round(time.monotonic() - start, 3)})
    if done.returncode:
        said = " ".join(done.stderr.split())[-SHOWN:] or "it said nothing"
        return result.model_copy(update={"outcome": "failed", "differences": [said]})
    found = json.loads(done.stdout.splitlines()[-1])
    here = Environment.model_validate(found["environment"], strict=False)
    other = differences_of_kind(receipt.environment, here)
    if receipt.deterministic is False:
        other.append("the training was not deterministic")
    different = compare(receipt.trajectory[:steps], found["losses"], exact=not other)
    beyond = "beyond tolerance" if other else "different"
    same = "within tolerance" if found["losses"] != receipt.trajectory[:steps] else "same bytes"
    return result.model_copy(
        update={
            "other_machine": other,
            "outcome": same if different is None else beyond,
            "differences": [] if different is None else [different],
        }
    )


def compare(then: Sequence[float], now: Sequence[float], *, exact: bool) -> str | None:
    """The first step whose loss is another; None where there is none.

    Args:
        then: Losses in the receipt.
        now: Those of the repetition.
        exact: Whether they have to be equal to the last bit.
    """
    if len(then) != len(now):
        return f"losses of {len(then)} first steps, where {len(now)} were taken now"
    # a loss that the receipt has must not widen what is allowed
    allowed = 0.0 if exact else SHARE * max(map(abs, now), default=0.0)
    for step, (old, new) in enumerate(zip(then, now, strict=True), start=1):
        if not abs(old - new) <= allowed:
            return f"the loss of step {step} was {old!r}, and is {new!r} now"
    return None


def contradictions(receipt: Receipt, steps: int, history: Sequence[HistoryLine]) -> Iterator[str]:
    """What the losses of the first steps say, and the rest of the run does not.

    Args:
        receipt: Of a training.
        steps: Optimiser steps, as its outcome has them.
        history: Its history.
    """
    losses, done = receipt.trajectory, 0
    if not losses:
        return  # from before they were kept
    if len(losses) != min(KEPT, steps):
        yield f"it has losses of {len(losses)} first steps of {steps}"
    for line in history:
        passed, means = losses[done : line.steps], line.loss or []
        # of an epoch of several passes nobody says where each ends
        if len(means) == 1 and 0 < len(passed) == line.steps - done:
            mean = math.fsum(passed) / len(passed)
            if not math.isclose(mean, means[0], rel_tol=ROUNDING, abs_tol=ROUNDING):
                yield (
                    f"its losses of the first steps have mean {mean!r} in epoch {line.epoch}, and "
                    f"the history has {means[0]!r}"
                )
        done = line.steps
