"""Traps where Snakemake and DVC meet.

H1, H2 and H3 here; H5 (params that Snakemake does not track) in test_rules.py and test_rerun.py; H9
(checkpoints) in test_faults.py; the others in test_dvc_traps.py. docs/dvc.md lists them all.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from tests.edits import change
from tests.quick import first_quick
from tests.workflow.workflow_helpers import (
    Finished,
    commit,
    contents,
    dvc,
    edit,
    git,
    iic,
    planned,
    run,
    snakemake,
)

RUN = Path("results/tiny/runs/digits/kmeans/seed0")
ARTIFACTS = Path("results/tiny/artifacts/digits/kmeans/seed0")
TRAINING = "Training kmeans on digits with seed 0."
PREPARED = "Turning the raw files of digits into arrays."
# and what jobs say when they have ended
HAS_TRAINED = "digits/kmeans/seed0: trained"
HAS_PREPARED = "digits: 1797 images prepared"


def link(clone: Path, kind: str, *stages: str) -> None:
    """Have DVC put its cached files in place as links of a kind."""
    edit(clone / ".dvc/config", "reflink,copy", kind)
    dvc(clone, "checkout", "--relink", *stages)


def recorded_artifacts(clone: Path) -> str:
    """What dvc.lock says of the weights."""
    outs = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["runs@tiny"]["outs"]
    return next(str(out["md5"]) for out in outs if out["path"].endswith("artifacts"))


@pytest.mark.parametrize(
    "kind",
    # through links the cache itself could be overwritten; copies are what most clones have
    first_quick(["symlink", "copy", "hardlink"]),
)
def test_h1_stale_results_are_never_recorded_as_current(
    tiny: Finished, tiny_copy: Path, kind: str
) -> None:
    """Before a stage DVC replaces links by copies, newer than the code that was edited."""
    clone = tiny_copy
    link(clone, kind, "data@digits", "runs@tiny")
    weights = clone / ARTIFACTS / "weights.safetensors"
    assert weights.is_symlink() == (kind == "symlink")
    assert (weights.stat().st_nlink > 1) == (kind == "hardlink")
    edit(clone / "iic/methods/kmeans.py", "seed=context.seed,", "seed=7,")
    said = dvc(clone, "repro", "--single-item", "runs@tiny").said
    assert HAS_TRAINED in said and HAS_PREPARED not in said
    before, after = contents(tiny.path / RUN), contents(clone / RUN)
    for name in ("run.json", "assignments.parquet", "evaluation.json"):
        assert after[name] != before[name], f"{name} is the old code's"
    # what DVC recorded for the new code is not the old result
    assert recorded_artifacts(clone) != recorded_artifacts(tiny.path)
    stored = contents(clone / ARTIFACTS)["weights.safetensors"]
    assert stored != contents(tiny.path / ARTIFACTS)["weights.safetensors"]
    cached = clone / ".dvc/cache/files/md5"
    assert any(path.read_bytes() == stored for path in cached.rglob("*") if path.is_file())


@pytest.mark.long
def test_h2_older_data_that_dvc_restores_are_noticed(tiny_copy: Path, tmp_path: Path) -> None:
    """With links they come back with their old times, and look older than every result."""
    link(tiny_copy, "hardlink", "data@digits")
    manifest = tiny_copy / "data/prepared/digits/data.json"
    older = manifest.read_bytes()
    catalogue = tiny_copy / "params/datasets.yaml"

    # the next version of the dataset: its first 1,000 images
    mirror = tmp_path / "mirror/digits"
    shutil.copytree(tiny_copy / "data/raw/digits", mirror)
    run(
        mirror,
        "bash",
        "-c",
        "gunzip digits.csv.gz && sed -i 1001,\\$d digits.csv && gzip -n digits.csv",
    )
    digest = run(mirror, "sha256sum", "digits.csv.gz").said.split()[0]
    size = (mirror / "digits.csv.gz").stat().st_size
    edit(catalogue, "splits: {train: 1297, test: 500}", "splits: {train: 800, test: 200}")
    edit(catalogue, "size: 57523", f"size: {size}")
    edit(catalogue, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22", digest)
    new = [f"mirror={mirror.parent}"]
    snakemake(tiny_copy, str(RUN / "run.json"), scale="tiny", config=new)
    assert manifest.read_bytes() != older
    dvc(tiny_copy, "commit", "--force", "data@digits")
    commit(tiny_copy)

    git(tiny_copy, "checkout", "--quiet", "HEAD~1", "--", "dvc.lock", "params/datasets.yaml")
    dvc(tiny_copy, "checkout", "data@digits")
    assert manifest.read_bytes() == older
    assert manifest.stat().st_mtime < (tiny_copy / RUN / "run.json").stat().st_mtime
    assert TRAINING in planned(tiny_copy, str(RUN / "run.json"), scale="tiny")

    # the data alone taken back, against the settings: the audit says whose fault it is
    git(tiny_copy, "checkout", "--quiet", "HEAD", "--", "params/datasets.yaml")
    said = iic(tiny_copy, "audit", "--scale", "tiny", expect=1).said
    assert "data/prepared/digits" in said


def test_h3_a_fresh_clone_is_restored_without_running_anything(
    tiny_copy: Path, tmp_path: Path
) -> None:
    """Files come back in any order of time, and what Snakemake remembers is in no repository."""
    dvc(tiny_copy, "remote", "add", "--default", "store", str(tmp_path / "store"))
    dvc(tiny_copy, "push", "data@digits", "runs@tiny")
    commit(tiny_copy)
    fresh = tmp_path / "fresh"
    git(tiny_copy, "clone", "--quiet", str(tiny_copy), str(fresh))
    dvc(fresh, "pull", "data@digits", "runs@tiny")
    # the trap: data that came last look newer than the results
    for path in (fresh / "data").rglob("*.json"):
        os.utime(path, (2e9, 2e9))
    before = contents(fresh / "results")
    assert planned(fresh, scale="tiny") == []
    iic(fresh, "restore", "--scale", "tiny")
    assert planned(fresh, scale="tiny") == []
    assert contents(fresh / "results") == before
    # and a later change is seen, though Snakemake remembers nothing
    change(fresh / "iic/methods/kmeans.py", "train")
    listed = planned(fresh, scale="tiny")
    assert TRAINING in listed and PREPARED not in listed
