"""Traps where Snakemake and DVC meet (spec/hazards.sh shows each without this project's cure)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from workflow_helpers import (
    Finished,
    append,
    commit,
    contents,
    dvc,
    edit,
    git,
    iic,
    planned,
    run,
    snakemake,
    write_scale,
)

RUN = Path("results/tiny/runs/digits/kmeans/seed0")
ARTIFACTS = Path("results/tiny/artifacts/digits/kmeans/seed0")
TRAINING = "Training kmeans on digits with seed 0."
PREPARED = "Turning the raw files of digits into arrays."


def link(clone: Path, kind: str, *stages: str) -> None:
    """Have DVC put its cached files in place as links of a kind."""
    dvc(clone, "config", "cache.type", kind)
    dvc(clone, "checkout", "--relink", *stages)


def recorded_artifacts(clone: Path) -> str:
    """What dvc.lock says of the weights."""
    outs = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["runs@tiny"]["outs"]
    return next(str(out["md5"]) for out in outs if out["path"].endswith("artifacts"))


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_h1_stale_results_are_never_recorded_as_current(tiny_copy: Path, kind: str) -> None:
    """Before a stage DVC replaces links by copies, newer than the code that was edited."""
    link(tiny_copy, kind, "data@digits", "runs@tiny")
    weights = tiny_copy / ARTIFACTS / "weights.safetensors"
    assert weights.is_symlink() == (kind == "symlink")
    assert (weights.stat().st_nlink > 1) == (kind == "hardlink")
    before = contents(tiny_copy / RUN)
    known = recorded_artifacts(tiny_copy)
    edit(tiny_copy / "iic/methods/kmeans.py", "random_state=context.seed,", "random_state=7,")

    said = dvc(tiny_copy, "repro", "--single-item", "runs@tiny").said

    assert TRAINING in said and PREPARED not in said
    after = contents(tiny_copy / RUN)
    for name in ("run.json", "assignments.parquet", "evaluation.json"):
        assert after[name] != before[name], f"{name} is the old code's"
    # what DVC recorded for the new code is what lies there
    assert (
        not dvc(tiny_copy, "diff", "--targets", str(ARTIFACTS / "weights.safetensors")).said == ""
    )
    assert recorded_artifacts(tiny_copy) != known
    assert "changed outs" not in dvc(tiny_copy, "status", "runs@tiny").said


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
    edit(catalogue, "splits: {all: 1797}", "splits: {all: 1000}")
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
    assert TRAINING in planned(fresh, scale="tiny")
    before = contents(fresh / "results")

    iic(fresh, "restore", "--scale", "tiny")

    assert planned(fresh, scale="tiny") == []
    assert contents(fresh / "results") == before
    # and a later change is seen, since Snakemake remembers again
    append(fresh / "iic/methods/kmeans.py", "\nEDITED = True\n")
    listed = planned(fresh, scale="tiny")
    assert TRAINING in listed and PREPARED not in listed


def test_h5_settings_are_tracked(tiny: Finished, tiny_copy: Path) -> None:
    """A changed value reaches a rule through its fingerprint, which comes from wildcards alone."""
    write_scale(tiny_copy, "tiny", "digits/kmeans", restarts=2)
    assert TRAINING in planned(tiny_copy, scale="tiny")
