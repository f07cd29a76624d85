"""``iic train`` by hand and from the workflow; data that is not what was prepared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from iic.records.assignments import read_assignments
from iic.records.files import read_record, sha256_file
from iic.records.receipt import Receipt
from tests.cli.cli_helpers import iic, python

KMEANS = ["train", "--scale", "smoke", "--run", "digits/kmeans"]
RUN = "results/smoke/runs/digits/kmeans/seed0"


def test_by_hand_it_needs_no_fingerprint_and_a_wrong_one_is_refused(clone: Path) -> None:
    """The wrong one comes second: it must leave what the first has written."""
    (said,) = iic(clone, KMEANS)
    assert said.status == 0, said.text
    receipt = read_record(clone / RUN / "run.json", Receipt)
    for output in receipt.outputs:
        assert sha256_file(clone / output.path) == output.sha256
    clusters = read_assignments(clone / RUN / "assignments.parquet")["last"]
    assert clusters.clusters.shape == (1797, 1) and clusters.labels is not None

    before = {path: path.stat().st_mtime_ns for path in clone.rglob("*") if path.is_file()}
    right = receipt.fingerprint.value
    wrong = right.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    log = clone / "train.log"
    refused, again = iic(
        clone,
        [*KMEANS, "--fingerprint", wrong, "--log", str(log)],
        [*KMEANS, "--fingerprint", right],
    )
    assert refused.status == 1 and "Traceback" not in refused.text
    message = "train smoke digits/kmeans 0: code, settings or data changed after the workflow was"
    assert message in refused.text and message in log.read_text()
    assert again.status == 0, again.text
    kept = read_record(clone / RUN / "run.json", Receipt)
    assert kept.fingerprint == receipt.fingerprint and kept.outputs == receipt.outputs
    untouched = set(before) - {path for path in before if "kmeans" in str(path)}
    assert all(path.stat().st_mtime_ns == before[path] for path in untouched)


@pytest.mark.parametrize("verb", ["prepare", "evaluate", "tabulate", "draw"])
def test_every_job_refuses_another_plan(prepared: Path, verb: str) -> None:
    words = {
        "prepare": ["--dataset", "digits"],
        "evaluate": ["--scale", "smoke", "--dataset", "digits"],
        "tabulate": ["--scale", "smoke", "--name", "supp_table_1"],
        "draw": ["--scale", "smoke", "--name", "figure_2"],
    }[verb]
    (said,) = iic(prepared, [verb, *words, "--fingerprint", "0" * 64])
    assert said.status == 1
    assert "changed after the workflow was planned (fingerprint 000000000000 then" in said.text
    assert "Traceback" not in said.text


def flipped(images: Path) -> None:
    content = bytearray(images.read_bytes())
    content[-1000] ^= 1
    images.write_bytes(content)


def floats(images: Path) -> None:
    values = np.load(images).astype(np.float32)
    values[5, 0, 1, 2] = np.nan
    np.save(images, values)


def cut(images: Path) -> None:
    images.write_bytes(images.read_bytes()[:-1])


def other_shape(images: Path) -> None:
    np.save(images, np.load(images)[:-1])


def forged(images: Path) -> None:
    """Other images, with a description that fits them."""
    flipped(images)
    manifest = images.with_name("data.json")
    content = json.loads(manifest.read_text())
    content["images"]["sha256"] = sha256_file(images)
    manifest.write_text(json.dumps(content))


def broken_description(images: Path) -> None:
    manifest = images.with_name("data.json")
    manifest.write_text(manifest.read_text().replace('"count"', '"cuont"'))


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (flipped, "images.npy: corrupt: its content is not what was prepared"),
    (floats, "images.npy: float32 of shape (1797, 1, 28, 28), expected uint8 of shape"),
    (cut, "images.npy: "),
    (other_shape, "images.npy: uint8 of shape (1796, 1, 28, 28), expected uint8 of shape (1797,"),
    (Path.unlink, "images.npy: missing"),
    (lambda images: images.with_name("labels.npy").unlink(), "labels.npy: missing"),
    (lambda images: images.with_name("data.json").unlink(), "data.json: missing"),
    (lambda images: images.with_name("data.run.json").unlink(), "data.run.json: missing"),
    (broken_description, "data.json: count: Field required: not a PreparedManifest record"),
    (forged, "data.json: changed after data/prepared/digits/data.run.json was written"),
]


@pytest.mark.parametrize(
    ("damage", "says"), DAMAGE, ids=[getattr(one, "__name__", "gone") for one, _ in DAMAGE]
)
def test_damaged_data_is_refused_before_training(
    clone: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(clone / "data/prepared/digits/images.npy")
    log = clone / "train.log"
    (said,) = iic(clone, [*KMEANS, "--log", str(log)])
    assert said.status == 1 and "Traceback" not in said.text
    assert said.text.startswith("error: ") and says in said.text
    assert says in log.read_text()
    assert not (clone / "results").exists() and not (clone / "scratch").exists()


def test_nan_in_prepared_images_is_named_by_place(clone: Path) -> None:
    floats(clone / "data/prepared/digits/images.npy")
    (said,) = iic(clone, KMEANS)
    assert "1 values are NaN or infinite, the first at index (5, 0, 1, 2)" in said.text
    assert "remedy: `iic prepare" in said.text


# what a training process has imported by its end
IMPORTED = """
import sys
from iic.cli.app import main
try:
    main()
finally:
    print("imported:", *sorted(name for name in sys.modules if "." not in name))
"""
HEAVY = {"torchvision", "pandas", "sklearn", "matplotlib", "PIL", "snakemake", "dvc", "requests"}


@pytest.mark.parametrize("run", ["digits/iic", "digits/random"])
def test_a_training_imports_torch_and_nothing_else_that_is_heavy(clone: Path, run: str) -> None:
    done = python(clone, "-c", IMPORTED, "train", "--scale", "smoke", "--run", run)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split("imported: ")[1].split())
    assert "torch" in imported and not imported & HEAVY
    assert (clone / f"results/smoke/runs/{run}/seed0/run.json").exists()
    assert (clone / f"results/smoke/artifacts/{run}/seed0/weights.safetensors").exists()
    assert not (clone / f"scratch/smoke/{run}/seed0").exists(), "no checkpoint of a finished run"


def test_a_baseline_without_a_network_imports_no_torch(clone: Path) -> None:
    done = python(clone, "-c", IMPORTED, *KMEANS)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split("imported: ")[1].split())
    assert "sklearn" in imported
    assert not imported & {"torch", "torchvision", "matplotlib", "snakemake", "dvc"}
