"""Minutes of training against accuracy on real MNIST, for recipes and variants of them.

Each line trains one recipe for a number of optimiser steps and one seed, to its end, and picks the
sub-head without labels. Minutes are of training alone (steps, without evaluation), and CPU minutes
beside them, which tell more where others use the machine.

Run: python -m benchmarks.time_to_accuracy mnist/iic-fast --steps 450 1500 --seeds 0 1 2
     python -m benchmarks.time_to_accuracy.py mnist/iic-fast --set pairs.repeats=3 sub_heads=5
"""

from __future__ import annotations

import argparse
import json
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import trials
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.params.runs import load_plan


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
    """Train a run of a scale with changed settings.

    Args:
        run: Name of the run.
        scale: Name of the scale.
        seed: Of the run.
        steps: Optimiser steps.
        changes: Settings that differ, nested.
    """
    planned = load_plan(scale).run(run)
    schedule = {"max_steps": steps, "epochs": 10_000, "evaluate_every": 10_000}
    given = merged(
        planned.settings.model_dump(mode="json"), merged({"schedule": schedule}, changes)
    )
    settings = validate(type(planned.settings), given, "--set", run)
    before = _cpu()
    outcome, protocol, classes = trials.train(planned.method, settings, planned.dataset, seed)
    cpu = _cpu() - before
    assert outcome.last.losses is not None and protocol.labels is not None
    accuracies = accuracy_per_sub_head(outcome.last.clusters, protocol.labels, outcome.k, classes)
    seconds = sum(float(entry["seconds"]) for entry in outcome.history)  # type: ignore[arg-type]
    return Line(
        run=run,
        seed=seed,
        steps=outcome.steps,
        changes=changes,
        minutes=round(seconds / 60, 2),
        cpu_minutes=round(cpu / 60, 2),
        label_free=round(float(accuracies[int(np.argmin(outcome.last.losses))]), 2),
        sub_heads=[round(float(value), 2) for value in accuracies],
        losses=[round(value, 4) for value in outcome.last.losses],
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _changes(texts: list[str]) -> dict[str, Any]:
    """Nested settings of ``a.b=value`` texts, values as in YAML."""
    changes: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        nested: Any = yaml.safe_load(value)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        changes = merged(changes, nested)
    return changes


def main() -> None:
    """Train, and print a line of JSON for each training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--steps", type=int, nargs="+", default=[600])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, help="append each line to this file, as JSON")
    given = parser.parse_args()
    for steps in given.steps:
        for seed in given.seeds:
            line = train(given.run, given.scale, seed, steps, _changes(given.set))
            text = json.dumps(asdict(line))
            print(text, flush=True)
            if given.out:
                with given.out.open("a") as file:
                    file.write(text + "\n")


if __name__ == "__main__":
    main()
