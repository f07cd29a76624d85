"""Our AE and DEC against ClustPy's: same images, architecture, budget and seeds.

Data: scikit-learn's digits, and 10,000 images of MNIST drawn once. Architecture d-500-500-2000-10
with ReLU. AE: Adam 1e-3 on half the squared error. DEC: SGD 0.1 with momentum 0.9 for the layers
and the whole, constant, on half the mean square of images of mean square 1; SGD 0.01 for the
clustering, which never ends early. k-means with 20 restarts.

First weights are torch's default on both sides. With `--own-weights` ours are those that our
experiments have: He's in AE, the source's N(0, 0.01^2) in DEC. What remains different in ClustPy
0.0.3: its layers have no ReLU and no dropout of the hidden units while they are trained by
themselves; its target P is that of each batch, and ours that of all images.

Ours is "worse" where its mean accuracy lies more than two standard errors of the difference of the
means below ClustPy's; with three seeds that is a coarse test.

ClustPy is no dependency of this project. It gets an environment of its own:

    uv venv --python 3.11 scratch/clustpy
    uv pip install --python scratch/clustpy/bin/python clustpy==0.0.3

Run: python benchmarks/clustpy_crosscheck.py [--python scratch/clustpy/bin/python] [--root .]
[--data digits mnist] [--methods ae dec] [--seeds 20 21 22] [--workers 2] [--own-weights]
(MNIST after `iic download --dataset mnist` and `iic prepare --dataset mnist` in the clone `--root`)
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS, CODE, K, RESTARTS = [500, 500, 2000], 10, 10, 20
SHARED = {
    "widths": WIDTHS, "code": CODE, "k": K, "restarts": RESTARTS,
    "learning_rate": 1e-3, "pretraining_rate": 0.1, "clustering_rate": 0.01, "momentum": 0.9,
    "dropout": 0.2,
}  # fmt: skip
BUDGETS = {
    "digits": {
        "batch": 64, "epochs": 60,
        "layer_epochs": 20, "finetuning_epochs": 40, "clustering_epochs": 20,
    },
    "mnist": {
        "batch": 256, "epochs": 30,
        "layer_epochs": 25, "finetuning_epochs": 40, "clustering_epochs": 15,
    },
}  # fmt: skip
SUBSET = 10_000
SIDES = ("ours", "ClustPy")


def images_of(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 1, H, W) uint8 and their classes (N,)."""
    if name == "digits":
        from sklearn.datasets import load_digits

        data = load_digits()
        return np.rint(data.images / 16 * 255).astype(np.uint8)[:, None], data.target
    from iic.data.load import load

    found = load("mnist", root)
    assert found.labels is not None
    chosen = np.sort(np.random.default_rng(0).choice(len(found.labels), SUBSET, replace=False))
    return found.images[chosen], found.labels[chosen]


def accuracy(clusters: np.ndarray, labels: np.ndarray) -> float:
    """Percent of images (N,) right under the best one-to-one mapping of clusters to classes."""
    from iic.evaluate.metrics import accuracy_per_sub_head

    (score,) = accuracy_per_sub_head(clusters[:, None], labels, K, K)
    return float(score)


def train_ours(wanted: dict[str, Any]) -> dict[str, Any]:
    """One training by this project's engine, with the arguments of the worker."""
    # methods import the engine when they are called; here its time would count
    import iic.engine.run
    import iic.methods.autoencoders.network as autoencoder
    import iic.methods.dec.task  # noqa: F401
    from iic.data.in_memory import in_memory
    from iic.engine.context import RunContext
    from iic.methods.autoencoders import plain as ae
    from iic.methods.dec import method as dec
    from iic.params.loading import validate
    from iic.records.paths import RunPaths

    logging.disable(logging.INFO)
    if not wanted["own_weights"]:
        autoencoder._initialise = lambda *layer, **relu: None
    images, labels = np.load(wanted["pictures"]), np.load(wanted["labels"]).astype(np.int64)
    method = ae if wanted["method"] == "ae" else dec
    values: dict[str, Any] = {
        "autoencoder": {
            "family": "dense", "input_size": images.shape[-1], "in_channels": 1,
            "widths": wanted["widths"], "code": wanted["code"],
        },
        "k": wanted["k"], "batch_images": wanted["batch"],
        "clusters": {"restarts": wanted["restarts"], "watch_restarts": wanted["restarts"]},
    }  # fmt: skip
    before = len(WIDTHS) * wanted["layer_epochs"] + wanted["layer_epochs"]
    before += wanted["finetuning_epochs"]
    if method is ae:
        values["optimiser"] = {"learning_rate": wanted["learning_rate"]}
        values["schedule"] = {"epochs": wanted["epochs"], "evaluate_every": wanted["epochs"]}
    else:
        values["optimiser"] = {
            "learning_rate": wanted["clustering_rate"], "momentum": wanted["momentum"]
        }  # fmt: skip
        values["pretraining"] = {
            "layer_epochs": wanted["layer_epochs"],
            "finetuning_epochs": wanted["finetuning_epochs"],
            "learning_rate": wanted["pretraining_rate"],
            "decay_epochs": before, "dropout": wanted["dropout"],
            "initial_deviation": wanted["initial_deviation"],
        }  # fmt: skip
        values["tolerance"] = 0.0
        values["schedule"] = {"epochs": wanted["clustering_epochs"], "evaluate_every": before}
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(
            data=in_memory(images, labels, wanted["k"]),
            classes=wanted["k"],
            settings=validate(method.Settings, values, "benchmarks/clustpy_crosscheck.py"),
            seed=wanted["seed"],
            paths=RunPaths("crosscheck", f"{wanted['data']}/{wanted['method']}", wanted["seed"]),
            fingerprint="0" * 64,
            root=Path(folder),
            live=False,
        )
        start = time.monotonic()
        outcome = method.train(context)  # type: ignore[arg-type]
        seconds = time.monotonic() - start
    score = accuracy(outcome.last.clusters[:, 0], labels)
    if method is ae:
        return {"scores": {"AE and k-means": score}, "seconds": seconds}
    watched = {entry["epoch"]: entry["accuracy"] for entry in outcome.history}
    scores = {"stacked AE and k-means": watched[before][0], "DEC": score}  # type: ignore[index]
    return {"scores": scores, "seconds": seconds}


def one(side: str, python: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """One training in a process of its own."""
    worker = Path(__file__).with_name("clustpy_worker.py")
    command = [sys.executable, __file__, "--one"] if side == "ours" else [python, str(worker)]
    # ours needs the clone, for its tests' helper; ClustPy must not see it
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if side == "ours":
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        command, input=json.dumps(wanted), capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{side}, {wanted['data']}, {wanted['method']}: failed\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "clusters" in found:  # both sides are scored by the same function
        labels = np.load(wanted["labels"]).astype(np.int64)
        found["scores"] = {
            name: accuracy(np.array(clusters), labels)
            for name, clusters in found["clusters"].items()
        }
    shown = ", ".join(f"{name} {score:.1f}" for name, score in found["scores"].items())
    print(f"{wanted['data']} seed {wanted['seed']} {side}: {shown} ({found['seconds']:.0f} s)",
          flush=True)  # fmt: skip
    return found


def check(python: str) -> str:
    """Version of ClustPy in the environment.

    Raises:
        SystemExit: There is none; says how to install it.
    """
    said = "from importlib.metadata import version; import clustpy; print(version('clustpy'))"
    try:
        done = subprocess.run([python, "-c", said], capture_output=True, text=True, check=False)
    except OSError:
        done = None
    if done is None or done.returncode:
        raise SystemExit(
            f"no ClustPy under {python}. It is installed into an environment of its own:\n"
            "  uv venv --python 3.11 scratch/clustpy\n"
            "  uv pip install --python scratch/clustpy/bin/python clustpy==0.0.3\n"
            "or name another Python that has it: --python PATH"
        )
    return done.stdout.strip()


def main() -> None:
    """Train on both sides and print a table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="scratch/clustpy/bin/python")
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--data", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument("--methods", nargs="+", choices=["ae", "dec"], default=["ae", "dec"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--own-weights", action="store_true", help="first weights of our settings")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(train_ours(json.load(sys.stdin))))
        return
    print(f"ClustPy {check(arguments.python)}")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.workers) as pool:
        futures = {}
        for data in arguments.data:
            pictures, labels = images_of(data, arguments.root)
            flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
            scale = {"ae": 1.0, "dec": float(np.square(flat, dtype=np.float64).mean() ** -0.5)}
            np.save(f"{folder}/{data}_pictures.npy", pictures)
            np.save(f"{folder}/{data}_labels.npy", labels)
            for method in arguments.methods:
                np.save(f"{folder}/{data}_{method}.npy", flat * np.float32(scale[method]))
                for seed in arguments.seeds:
                    wanted = {
                        "data": data, "method": method, "seed": seed,
                        "own_weights": arguments.own_weights,
                        "initial_deviation": 0.01 if arguments.own_weights else None,
                        "pictures": f"{folder}/{data}_pictures.npy",
                        "labels": f"{folder}/{data}_labels.npy",
                        "images": f"{folder}/{data}_{method}.npy",
                    } | SHARED | BUDGETS[data]  # fmt: skip
                    for side in SIDES:
                        key = (data, method, seed, side)
                        futures[key] = pool.submit(one, side, arguments.python, wanted)
        try:
            found = {key: future.result() for key, future in futures.items()}
        except SystemExit:
            pool.shutdown(cancel_futures=True)
            raise
    report(found, arguments.seeds)


def report(found: dict[tuple[str, str, int, str], dict[str, Any]], seeds: list[int]) -> None:
    """Print means, deviations and whether ours is worse by more than noise."""
    print("\n| data | what | ours | ClustPy | ours - ClustPy | noise | verdict |")
    print("|---|---|---:|---:|---:|---:|---|")
    for data, method in dict.fromkeys((key[0], key[1]) for key in found):
        for what in found[data, method, seeds[0], "ours"]["scores"]:
            by_side = [
                [found[data, method, seed, side]["scores"][what] for seed in seeds]
                for side in SIDES
            ]
            means = [statistics.mean(scores) for scores in by_side]
            spread = [statistics.stdev(one) if len(one) > 1 else 0.0 for one in by_side]
            noise = 2 * sum(one**2 / len(seeds) for one in spread) ** 0.5
            apart = means[0] - means[1]
            verdict = "not worse" if apart >= -noise else "WORSE"
            shown = [f"{m:.1f} ± {s:.1f}" for m, s in zip(means, spread, strict=True)]
            print(f"| {data} | {what} | {shown[0]} | {shown[1]} | {apart:+.1f} | {noise:.1f} "
                  f"| {verdict} |")  # fmt: skip
        seconds = [
            statistics.median(found[data, method, seed, side]["seconds"] for seed in seeds)
            for side in SIDES
        ]
        print(f"| {data} | {method}, seconds | {seconds[0]:.0f} | {seconds[1]:.0f} | | | |")


if __name__ == "__main__":
    main()
