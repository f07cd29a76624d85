"""Runs of scale mini on scikit-learn's digits, with other seeds than its own.

For a method whose row has one seed: accuracy of the last epoch by seed, with the mean, beside that
of k-means on pixels. docs/baselines.md reports what was found.

Run: python benchmarks/digits_runs.py jule dac adc [--seeds 0 1 2]
(after `iic download --dataset digits` and `iic prepare --dataset digits`)
"""

from __future__ import annotations

import argparse
import importlib
import logging
import statistics
import tempfile
from pathlib import Path

from iic.data.load import load
from iic.engine.context import RunContext
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.runs import load_plan
from iic.records.paths import RunPaths


def accuracy(name: str, seed: int) -> float:
    """Train a run of scale mini with a seed; accuracy of its last clusters in percent."""
    run, data = load_plan("mini").run(f"digits/{name}"), load("digits")
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(
            data=data,
            classes=10,
            settings=run.settings,
            seed=seed,
            paths=RunPaths("benchmark", run.id, seed),
            fingerprint="0" * 64,
            root=Path(folder),
            live=False,
        )
        outcome = importlib.import_module(run.method).train(context)
    return float(accuracy_per_sub_head(outcome.last.clusters, data.labels, 10, 10)[0])


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    logging.disable(logging.INFO)
    for name in ("kmeans", *given.runs):
        scores = [accuracy(name, seed) for seed in given.seeds]
        listed = ", ".join(f"{score:.1f}" for score in scores)
        print(f"{name}: {listed}; mean {statistics.mean(scores):.1f}", flush=True)


if __name__ == "__main__":
    main()
