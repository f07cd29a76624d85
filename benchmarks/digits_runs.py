"""Runs of scale mini on scikit-learn's digits, with other seeds than its own.

For a method whose row has one seed: accuracy of the last epoch by seed, with the mean, beside that
of k-means on pixels. docs/baselines.md reports what was found.

Run: python -m benchmarks.digits_runs jule dac adc [--seeds 0 1 2]
(after `iic download --dataset digits` and `iic prepare --dataset digits`)
"""

from __future__ import annotations

import argparse
import logging
import statistics

from benchmarks import trials
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.runs import load_plan


def accuracy(name: str, seed: int) -> float:
    """Train a run of scale mini with a seed; accuracy of its last clusters in percent."""
    run = load_plan("mini").run(f"digits/{name}")
    outcome, protocol, classes = trials.train(run.method, run.settings, run.dataset, seed)
    assert protocol.labels is not None
    clusters = outcome.last.clusters
    return float(accuracy_per_sub_head(clusters, protocol.labels, outcome.k, classes)[0])


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
