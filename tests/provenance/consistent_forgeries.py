"""Forgeries that agree with themselves: every digest is computed again, and no receipt is broken.

Each is caught by files that speak of the same thing. Importing this module adds its cases to those
of `tampering_cases`.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from iic.provenance import fingerprint
from iic.records.assignments import read_assignments, write_assignments
from iic.records.counts import read_counts, write_counts
from iic.records.snapshots import write_probabilities
from tests.conftest import SCALE
from tests.provenance.audit_helpers import ARTIFACTS, RESULTS, edit_json, forge, replace, vouch
from tests.provenance.tampering_cases import IIC, KMEANS, PREPARED, RAW, case, receipt

ASSIGNMENTS, HISTORY = IIC / "assignments.parquet", IIC / "history.jsonl"
WEIGHTS = ARTIFACTS / "iic/seed0/weights.safetensors"
POTSDAM = RESULTS / "runs/potsdam3_standin/iic/seed0"


def rewrite(path: Path, *, truth: bool = False, classes: int = 0) -> None:
    """Assignments of which each is the class, or whose labels are others; its receipt vouches."""
    assignments = read_assignments(path)
    labels = assignments["last"].labels
    assert labels is not None
    clusters = {name: one.clusters for name, one in assignments.items()}
    if truth:
        clusters = {
            name: np.repeat(labels[:, None], block.shape[1], axis=1)
            for name, block in clusters.items()
        }
    if classes:
        labels = (labels + 1) % classes
    write_assignments(path, clusters, labels)
    vouch(path)


def last_epoch(**update: object) -> None:
    lines = HISTORY.read_text().splitlines()
    lines[-1] = json.dumps(json.loads(lines[-1]) | update)
    HISTORY.write_text("\n".join(lines) + "\n")
    vouch(HISTORY)


@case("assignments forged to the labels", ARTIFACTS / "iic/seed0/probabilities.parquet",
      "contradiction", "is not the one of the largest probability", part="cross")  # fmt: skip
def _() -> None:
    rewrite(ASSIGNMENTS, truth=True)


@case("labels beside the assignments forged", ASSIGNMENTS, "contradiction",
      "labels are other than those of data/prepared/digits/labels.npy", part="cross")  # fmt: skip
def _() -> None:
    rewrite(ASSIGNMENTS, classes=10)


@case("labels of one run forged, the data away", KMEANS / "assignments.parquet", "contradiction",
      "labels are other than those of results/", part="cross")  # fmt: skip
def _() -> None:
    rewrite(KMEANS / "assignments.parquet", classes=10)
    shutil.rmtree(PREPARED)


@case("prepared labels replaced", ASSIGNMENTS, "contradiction", "labels are other", part="cross")
def _() -> None:
    labels = np.load(PREPARED / "labels.npy")
    np.save(PREPARED / "labels.npy", (labels + 1) % 10)


@case("accuracies of the last epoch invented", HISTORY, "contradiction",
      "has other accuracies than checkpoint last", part="cross")  # fmt: skip
def _() -> None:
    heads = len(read_assignments(ASSIGNMENTS)["last"].clusters[0])
    last_epoch(accuracy=[99.9] * heads)


@case("steps of the last epoch invented", HISTORY, "contradiction", "ends with steps 19,",
      part="cross")  # fmt: skip
def _() -> None:
    last_epoch(steps=19)


@case("epochs left out of the history", HISTORY, "contradiction", "epochs are not 0, 1, 2",
      part="cross")  # fmt: skip
def _() -> None:
    HISTORY.write_text("".join(HISTORY.read_text().splitlines(keepends=True)[1:]))
    vouch(HISTORY)


@case("one seed copied over another", RESULTS / "runs/digits/iic/seed1/history.jsonl",
      "contradiction", "two seeds never give the same", part="cross",
      also=((ARTIFACTS / "iic/seed1/weights.safetensors", "contradiction"),))  # fmt: skip
def _() -> None:
    replace(Path(f"params/scales/{SCALE}.yaml"), "digits/iic: [0]", "digits/iic: [0, 1]")
    fingerprint.forget()
    for folder in (IIC, ARTIFACTS / "iic/seed0"):
        shutil.copytree(folder, folder.with_name("seed1"))
    path = IIC.with_name("seed1") / "run.json"
    edit_json(path, lambda content: content.update(
        json.loads(json.dumps(content).replace("seed0", "seed1")), seed=1,
        wildcards=content["wildcards"] | {"seed": "1"}))  # fmt: skip
    forge(path)


@case("pixels of one cluster given to another", RESULTS /
      "artifacts/potsdam3_standin/iic/seed0/probabilities.parquet", "contradiction",
      "counts a cluster at more pixels", part="cross")  # fmt: skip
def _() -> None:
    counts = read_counts(POTSDAM / "assignments.parquet")
    blocks = {name: np.roll(one.counts, 1, axis=2) for name, one in counts.items()}
    write_counts(POTSDAM / "assignments.parquet", blocks, counts["last"].indices)
    vouch(POTSDAM / "assignments.parquet")


@case("pixels of one class given to another", POTSDAM / "assignments.parquet", "contradiction",
      "pixels of the classes here, and", part="cross")  # fmt: skip
def _() -> None:
    counts = read_counts(POTSDAM / "assignments.parquet")
    blocks = {name: np.roll(one.counts, 1, axis=3) for name, one in counts.items()}
    write_counts(POTSDAM / "assignments.parquet", blocks, counts["last"].indices)
    vouch(POTSDAM / "assignments.parquet")


@case("two losses of one epoch", IIC / "run.json", "contradiction", "one epoch with two losses",
      part="cross")  # fmt: skip
def _() -> None:
    outcome = receipt(IIC / "run.json").outcome
    outcome["checkpoints"]["best_label"] |= {"epoch": outcome["checkpoints"]["last"]["epoch"],
                                             "losses": [9.0]}  # fmt: skip
    forge(IIC / "run.json", outcome=outcome)


@case("losses of the first steps forged", IIC / "run.json", "contradiction",
      "its losses of the first steps have mean", part="cross")  # fmt: skip
def _() -> None:
    losses = receipt(IIC / "run.json").trajectory
    forge(IIC / "run.json", trajectory=[loss / 2 for loss in losses])


@case("losses of the first steps left out in part", IIC / "run.json", "contradiction",
      "it has losses of 1 first steps of", part="cross")  # fmt: skip
def _() -> None:
    forge(IIC / "run.json", trajectory=receipt(IIC / "run.json").trajectory[:1])


@case("a stand-in called real data", POTSDAM / "run.json", "implausible",
      "says that it is of real", part="cross")  # fmt: skip
def _() -> None:
    forge(POTSDAM / "run.json", stand_in=False)


@case("real data called a stand-in", RAW / "files.run.json", "implausible", "stand-in data",
      part="cross")  # fmt: skip
def _() -> None:
    forge(RAW / "files.run.json", stand_in=True)


@case("an evaluation before its training", IIC / "evaluation.run.json", "implausible",
      "before results/smoke/runs/digits/iic/seed0/run.json, which it read",
      part="cross")  # fmt: skip
def _() -> None:
    path = IIC / "evaluation.run.json"
    timing = receipt(path).timing
    day = timedelta(days=1)
    earlier = {"start": timing.start - day, "end": timing.end - day}
    forge(path, timing=timing.model_copy(update=earlier))


@case("a training of 2099", IIC / "run.json", "implausible", "still to come", part="cross")
def _() -> None:
    timing = receipt(IIC / "run.json").timing
    start = datetime(2099, 1, 1, tzinfo=UTC)
    later = {"start": start, "end": start + timedelta(seconds=timing.seconds)}
    forge(IIC / "run.json", timing=timing.model_copy(update=later))


@case("seconds that are not those from start to end", IIC / "run.json", "implausible",
      "took 61 s, and", part="cross")  # fmt: skip
def _() -> None:
    timing = receipt(IIC / "run.json").timing
    forge(IIC / "run.json", timing=timing.model_copy(update={"seconds": 61.0}))


@case("a training of no time", IIC / "run.json", "implausible", "epochs of its history",
      part="cross")  # fmt: skip
def _() -> None:
    last_epoch(seconds=100.0)


@case("a GPU that nobody asked for", IIC / "run.json", "implausible",
      "a session ran on NVIDIA H100", part="cross")  # fmt: skip
def _() -> None:
    (session,) = receipt(IIC / "run.json").sessions
    forge(IIC / "run.json", sessions=[session.model_copy(update={"device": "NVIDIA H100"})])


@case("a session that leaves steps out", IIC / "run.json", "implausible", "its sessions go from",
      part="cross")  # fmt: skip
def _() -> None:
    (session,) = receipt(IIC / "run.json").sessions
    forge(IIC / "run.json", sessions=[session.model_copy(update={"first_step": 1})])


@case("losses of sub-heads permuted", IIC / "run.json", "inference",
      "losses of last are", "the weights give", part="inference")  # fmt: skip
def _() -> None:
    outcome = receipt(IIC / "run.json").outcome
    for checkpoint in outcome["checkpoints"].values():
        checkpoint["losses"] = checkpoint["losses"][::-1]
    forge(IIC / "run.json", outcome=outcome)


@case("assignments, probabilities and history forged alike", ASSIGNMENTS, "inference",
      "clusters at last are not what the weights give", part="inference",
      also=((ARTIFACTS / "iic/seed0/probabilities.parquet", "inference"),))  # fmt: skip
def _() -> None:
    rewrite(ASSIGNMENTS, truth=True)
    clusters = read_assignments(ASSIGNMENTS)["last"].clusters
    k = int(receipt(IIC / "run.json").outcome["k_clusters"])
    write_probabilities(ARTIFACTS / "iic/seed0/probabilities.parquet",
                        np.eye(k, dtype=np.float16)[clusters])  # fmt: skip
    vouch(ARTIFACTS / "iic/seed0/probabilities.parquet")


@case("weights of another run", IIC / "run.json", "inference", "weights of another network",
      part="inference")  # fmt: skip
def _() -> None:
    shutil.copy(ARTIFACTS / "ae/seed0/weights.safetensors", WEIGHTS)
    vouch(WEIGHTS)


@case("weights that contradict everything", ASSIGNMENTS, "inference", "what the weights give",
      part="inference")  # fmt: skip
def _() -> None:
    weights = load_file(WEIGHTS)
    save_file({name: np.zeros_like(tensor) if tensor.dtype.kind == "f" else tensor
               for name, tensor in weights.items()}, WEIGHTS)  # fmt: skip
    vouch(WEIGHTS)
