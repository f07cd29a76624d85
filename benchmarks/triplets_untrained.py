"""What an untrained network gives in the row "Triplets" of Table 1: accuracy on the whole dataset.

The released selection takes the epoch of best label accuracy, and epoch 0, the untrained network,
is among them. So a training that only gets worse reports this number. The network, the transforms,
k-means and the scores are those of the run itself, at the settings of a scale, and with BatchNorm's
batch statistics as well as with its running ones. docs/baselines.md reports what it prints.

Run: python benchmarks/triplets_untrained.py [--scale paper] [--run mnist/triplets] [--seeds 0 1 2]
(after `iic download --dataset mnist` and `iic prepare --dataset mnist`)
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from iic.data.load import load
from iic.engine.context import RunContext
from iic.engine.device import configured
from iic.methods.triplets.method import Settings
from iic.methods.triplets.task import TripletTask
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.params.runs import load_plan
from iic.records.paths import RunPaths

CPU = torch.device("cpu")


def untrained(scale: str, name: str, seed: int, running: bool, root: Path) -> float:
    """Accuracy in percent of the run's network as it is initialised."""
    run = load_plan(scale).run(name)
    changes = {"gpu": False, "network": {"batchnorm_running_statistics": running}}
    settings = validate(Settings, merged(run.settings_json, changes), __file__, name)
    data = load(run.dataset, root)
    context = RunContext(
        data=data,
        classes=settings.k,
        settings=settings,
        seed=seed,
        paths=RunPaths("untrained", name, seed),
        fingerprint="0" * 64,
        root=root,
        live=False,
    )
    with configured(CPU, settings.threads):
        task = TripletTask(context, CPU)
        # `probabilities`: with all restarts of k-means, as at the end of a run
        clusters = task.predict(settings.schedule.evaluation_batch, probabilities=True).clusters
        return float(context.protocol.watch(clusters, task.k, context.classes).scores[0])


def main() -> None:
    """Print a line for each kind of statistics."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--run", default="mnist/triplets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--root", type=Path, default=Path("."))
    arguments = parser.parse_args()
    for running in (False, True):
        start = time.monotonic()
        scores = [
            untrained(arguments.scale, arguments.run, seed, running, arguments.root)
            for seed in arguments.seeds
        ]
        print(
            f"{'running' if running else 'batch'} statistics: "
            f"{', '.join(f'{score:.1f}' for score in scores)} "
            f"(mean {statistics.mean(scores):.1f}; {time.monotonic() - start:.0f} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
