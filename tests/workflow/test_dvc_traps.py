"""Traps H4, H6, H7, H8, H10 and H11; the others are in test_traps, test_rerun and test_faults."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import graph, jobs
from tests.edits import change
from tests.workflow.test_traps import ARTIFACTS, HAS_PREPARED, HAS_TRAINED, RUN, link
from tests.workflow.workflow_helpers import (
    ROOT,
    dvc,
    edit,
    iic,
    planned,
    run,
    snakemake_command,
)

LIMIT = 1_000_000
"""Bytes up to which Snakemake compares the content of an input (--max-checksum-file-size)."""


def test_h4_files_too_large_to_be_compared_by_content_are_not_compared_by_time(
    tiny_copy: Path,
) -> None:
    images = tiny_copy / "data/prepared/digits/images.npy"
    assert images.stat().st_size > LIMIT
    for path in (images, images.with_name("data.json"), tiny_copy / RUN / "run.json"):
        os.utime(path, (2e9, 2e9))
    assert planned(tiny_copy, scale="tiny") == []


def test_h4_inputs_that_snakemake_compares_are_small_records() -> None:
    """All others are ancient, so that their time says nothing."""
    compared = set()
    for scale in ("laptop", "laptop_cifar10"):
        whole = load_plan(scale, ROOT / "params")
        for job in (*jobs.all_jobs(whole), jobs.report(scale)):
            compared |= {ROOT / path for path in graph.small_inputs(whole, job)}
        compared |= {ROOT / path for path in graph.audited(whole)}
    assert {path.suffix for path in compared} == {".json", ".csv"}
    sizes = [path.stat().st_size for path in compared if path.exists()]
    assert len(sizes) > 50 and max(sizes) < LIMIT
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        text = file.read_text()
        for _, block in re.findall(r"^( +)input:\n((?:\1 {4}.*\n)+)", text, re.MULTILINE):
            assert block.count("large_inputs") == block.count("ancient("), file.name


def test_h6_a_stage_makes_again_only_what_has_changed(tiny_copy: Path) -> None:
    """DVC deletes the outs of a stage before it runs, unless they persist."""
    weights = tiny_copy / ARTIFACTS / "weights.safetensors"
    before = weights.stat()
    change(tiny_copy / "iic/evaluate/run.py", "evaluate_run")
    said = dvc(tiny_copy, "repro", "--single-item", "runs@tiny").said
    assert "digits/kmeans/seed0 scored: accuracy" in said and HAS_TRAINED not in said
    after = weights.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_h7_what_is_left_of_a_removed_seed_is_found_and_pruned(tiny_copy: Path) -> None:
    """DVC hashes a folder with everything that lies in it, as if all of it were current."""
    kept = (tiny_copy / "dvc.lock").read_bytes()
    for folder in (RUN, ARTIFACTS):
        shutil.copytree(tiny_copy / folder, tiny_copy / folder.with_name("seed1"))
    dvc(tiny_copy, "commit", "--force", "runs@tiny")
    assert (tiny_copy / "dvc.lock").read_bytes() != kept, "the trap"

    said = iic(tiny_copy, "prune", "--scale", "tiny", "--delete").said
    assert "seed1" in said and "seed0" not in said
    assert "(orphan)" not in iic(tiny_copy, "audit", "--scale", "tiny").said
    dvc(tiny_copy, "commit", "--force", "runs@tiny")
    assert (tiny_copy / "dvc.lock").read_bytes() == kept
    assert planned(tiny_copy, "runs", "tables", scale="tiny") == []


@contextmanager
def another_dvc(clone: Path) -> Iterator[None]:
    """Hold DVC's lock on a clone, as a long push does."""
    place = clone / ".dvc/tmp/lock"
    place.parent.mkdir(exist_ok=True)
    with place.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def test_h8_a_restore_waits_for_another_dvc(tiny_copy: Path, tmp_path: Path) -> None:
    dvc(tiny_copy, "remote", "add", "--default", "store", str(tmp_path / "store"))
    dvc(tiny_copy, "push", "runs@tiny", "data@digits")
    command = [*snakemake_command()[:2], "iic", "restore", "--scale", "tiny"]
    with another_dvc(tiny_copy):
        waiting = subprocess.Popen(
            command, cwd=tiny_copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        # the trap: DVC itself gives up after three seconds
        refused = dvc(tiny_copy, "pull", "runs@tiny", expect=None)
        assert refused.status != 0 and "Unable to acquire lock" in refused.said
        assert waiting.poll() is None
    said, _ = waiting.communicate(timeout=300)
    assert waiting.returncode == 0, said
    assert "0 jobs are left to do" in said


def test_h8_every_command_that_the_page_tells_to_type_waits() -> None:
    page = (ROOT / "docs/dvc.md").read_text()
    holding = re.findall(
        r"^(?:\w+=\S+ )*dvc .*\b(?:pull|push|fetch|commit|checkout|repro)\b.*$", page, re.M
    )
    assert len(holding) > 5
    assert [line for line in holding if "dvc --wait-for-lock " not in line] == []


def test_h10_planning_and_looking_write_nothing(tiny_copy: Path) -> None:
    """What is written anew while the rules are read looks newer than all that was made of it."""

    def times() -> dict[str, int]:
        return {
            str(path): path.stat().st_mtime_ns
            for path in tiny_copy.rglob("*")
            if path.is_file() and not {".git", ".snakemake", "__pycache__"} & {*path.parts}
        }

    iic(tiny_copy, "dvc", "sync")
    before = times()
    assert planned(tiny_copy, scale="tiny") == []
    iic(tiny_copy, "dvc", "sync")
    for verb in ("status", "prune"):
        iic(tiny_copy, verb, "--scale", "tiny")
    assert times() == before


def ordinary() -> list[str]:
    """How to run a command without the superuser's right to write everywhere."""
    if os.geteuid() != 0:
        return []
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    tried = [*command, "bash", "-c", "test ! -w /proc/self/status"]
    if shutil.which("setpriv") is None or subprocess.run(tried, check=False).returncode:
        pytest.skip("a superuser whom nothing is forbidden, and no setpriv to forbid it")
    return command


def test_h11_results_that_dvc_has_stored_can_be_made_again_by_an_ordinary_user(
    tiny_copy: Path,
) -> None:
    """With hardlinks DVC makes them read-only, and Snakemake refuses to replace them."""
    change(tiny_copy / "iic/data/prepare.py", "prepare")
    images = tiny_copy / "data/prepared/digits/images.npy"
    target = snakemake_command("data", scale="tiny")

    link(tiny_copy, "hardlink", "data@digits")
    assert not images.stat().st_mode & 0o222
    refused = run(tiny_copy, *ordinary(), *target, expect=1).said
    assert "Write-protected output files" in refused and HAS_PREPARED not in refused, "the trap"

    edit(tiny_copy / ".dvc/config", "hardlink", "reflink,copy")
    dvc(tiny_copy, "checkout", "--relink", "data@digits")
    before = images.stat().st_mtime_ns
    assert HAS_PREPARED in run(tiny_copy, *ordinary(), *target).said
    assert images.stat().st_mtime_ns > before
