"""Minutes of training against accuracy on real MNIST, for recipes and variants of them.

Each line trains one recipe for a number of optimiser steps and one seed, to its end, and picks the
sub-head without labels. Minutes are of training alone (steps, without evaluation), and CPU minutes
beside them, which tell more where others use the machine.

Run: python benchmarks/time_to_accuracy.py mnist/iic-fast --steps 450 1500 --seeds 0 1 2
     python benchmarks/time_to_accuracy.py mnist/iic-fast --set pairs.repeats=3 sub_heads=5
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from iic.data.load import load
from iic.engine.context import Outcome, RunContext
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.params.runs import plan
from iic.records.paths import RunPaths


@dataclass(frozen=True)
class Line:
    """What one training gave."""

    run: str
    seed: int
    steps: int
    changes: dict[str, Any]
    minutes: float
    """Wall-clock time of the steps."""
    cpu_minutes: float
    """Processor time of the whole process meanwhile, evaluation included."""
    label_free: float
    """Accuracy of the sub-head of lowest loss, in percent, on all images that are scored."""
    sub_heads: list[float]
    """Accuracy of each sub-head."""
    losses: list[float]
    """Loss of each sub-head."""


def train(run: str, scale: str, seed: int, steps: int, changes: dict[str, Any]) -> Line:
    """Train a run of a scale with changed settings."""
    planned = plan(scale).run(run)
    schedule = {"max_steps": steps, "epochs": 10_000, "evaluate_every": 10_000}
    given = merged(
        planned.settings.model_dump(mode="json"), merged({"schedule": schedule}, changes)
    )
    settings = validate(type(planned.settings), given, "--set", run)
    # the last epoch may be cut: as many epochs as the steps need decide nothing else
    data = load(planned.dataset)
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(
            data=data,
            classes=len(data.manifest.classes),
            settings=settings,
            seed=seed,
            paths=RunPaths("benchmark", run, seed),
            fingerprint="0" * 64,
            root=Path(folder),
            live=False,
        )
        before = _cpu()
        outcome = _method(planned.method).train(context)
        cpu = _cpu() - before
        protocol = context.protocol
    assert isinstance(outcome, Outcome) and outcome.last.losses is not None
    labels = protocol.labels[protocol.images]
    accuracies = accuracy_per_sub_head(outcome.last.clusters, labels, outcome.k)
    seconds = sum(float(entry["seconds"]) for entry in outcome.history)  # type: ignore[arg-type]
    return Line(
        run=run,
        seed=seed,
        steps=outcome.steps,
        changes=changes,
        minutes=round(seconds / 60, 2),
        cpu_minutes=round(cpu / 60, 2),
        label_free=round(100 * float(accuracies[int(np.argmin(outcome.last.losses))]), 2),
        sub_heads=[round(100 * float(value), 2) for value in accuracies],
        losses=[round(value, 4) for value in outcome.last.losses],
    )
