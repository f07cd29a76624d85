"""The small study behind the digits runs of scale mini: one setting changed at a time.

Each variation is trained by the real engine on the prepared digits, with seeds that no table uses.
Printed per variation: label-free accuracy (lowest-loss sub-head) by seed, its mean and standard
deviation, the mean over sub-heads, and the seconds of a run. docs/digits.md reports those
variations that have been run; the others are here to be tried.

Run: python -m benchmarks.digits [--seeds 20 21 22] [--only NAME ...] [--workers 2]
(after `iic download --dataset digits` and `iic prepare --dataset digits`)
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from benchmarks import trials
from iic.evaluate.selection import Checkpoint, evaluate
from iic.methods.iic.method import Settings
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.params.runs import load_plan

RUNS = {"as published": "digits/iic", "corrected": "digits/iic-corrected"}
VARIATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "as published": ("as published", {}),
    "corrected": ("corrected", {}),
    "5 sub-heads": ("corrected", {"sub_heads": 5}),
    "10 sub-heads": ("corrected", {"sub_heads": 10}),
    "learning rate 2e-3": ("corrected", {"optimiser": {"learning_rate": 2e-3}}),
    "learning rate 1.6e-2": ("corrected", {"optimiser": {"learning_rate": 1.6e-2}}),
    "16 pixels, 4 convolutions": (
        "corrected",
        {
            "network": {"input_size": 16, "channels": [16, 32, 64, 128]},
            "augmentation": {"input_size": 16},
        },
    ),
    "paper's transforms": (
        "corrected",
        {
            "augmentation": {
                "crops": [16, 20, 24],
                "rotation_degrees": 25.0,
                "brightness": 0.4,
                "contrast": 0.4,
            }
        },
    ),
    "5 repeats": ("corrected", {"pairs": {"batch_pairs": 350, "repeats": 5}}),
    "dataset order": ("corrected", {"pairs": {"order": "dataset"}}),
    "k_A 20": ("corrected", {"head_a": {"k": 20}}),
}


def settings_of(name: str) -> Settings:
    """Settings of a variation."""
    base, change = VARIATIONS[name]
    run = load_plan("mini").run(RUNS[base])
    return validate(Settings, merged(run.settings_json, change), "benchmarks/digits.py", name)


def one(name: str, seed: int) -> dict[str, Any]:
    """Train a variation with a seed and score it."""
    logging.disable(logging.INFO)
    start = time.monotonic()
    trial = trials.train("iic.methods.iic.method", settings_of(name), "digits", seed)
    seconds = time.monotonic() - start
    outcome, labels = trial.outcome, trial.protocol.labels
    last = Checkpoint(outcome.last.epoch, outcome.last.clusters, outcome.last.losses)  # type: ignore[arg-type]
    evaluation = evaluate({"last": last}, labels, k_clusters=10, k_classes=10)
    chosen, mean = evaluation.selections["label_free"], evaluation.selections["mean_head"]
    assert chosen is not None and mean is not None
    return {"label_free": chosen.acc, "mean_head": mean.acc, "seconds": seconds}


def main() -> None:
    """Run the study and print a table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--only", nargs="+", default=list(VARIATIONS), metavar="NAME")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    results: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in arguments.only}
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        futures = {
            pool.submit(one, name, seed): (name, seed)
            for name in arguments.only
            for seed in arguments.seeds
        }
        for future in as_completed(futures):
            name, seed = futures[future]
            results[name][seed] = future.result()
            print(json.dumps({"variation": name, "seed": seed, **future.result()}), flush=True)
    print("\n| variation | label-free by seed | mean ± std | mean over sub-heads | seconds |")
    print("|---|---|---:|---:|---:|")
    for name, found in results.items():
        scores = [found[seed]["label_free"] for seed in arguments.seeds]
        spread = statistics.stdev(scores) if len(scores) > 1 else float("nan")
        heads = statistics.mean(one["mean_head"] for one in found.values())
        seconds = statistics.median(one["seconds"] for one in found.values())
        shown = ", ".join(f"{score:.1f}" for score in scores)
        print(
            f"| {name} | {shown} | {statistics.mean(scores):.1f} ± {spread:.1f} "
            f"| {heads:.1f} | {seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
