"""Trainings through a real Slurm of one node: preempted, requeued, and the same to the byte.

Not among the tests that `make test` collects, since it installs Debian's packages: run it by
``make test-slurm``, as root. It takes about twenty minutes on two cores.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt
from tests.slurm.single_node import CannotRun, Slurm, single_node
from tests.workflow.workflow_helpers import (
    Done,
    commit,
    contents,
    copy,
    environment,
    git,
    iic,
    make_clone,
    run,
    snakemake,
    write_scale,
)

SCALE, RUN = "preempted", "digits/iic"
PLACE = RunPaths(SCALE, RUN, 0)
CLOCKS = {"seconds", "pairs_per_second"}
# within an epoch, no checkpoint but the one that the signal brings about
SCHEDULE = {"epochs": 20, "max_steps": 800, "checkpoint_seconds": 3600, "snapshot_steps": [0]}
PROFILE = "workflow/profiles/slurm"
SITE = """\
# what a site adds: here, impatience
slurm-init-seconds-before-status-checks: 5
slurm-keep-successful-logs: true
latency-wait: 10
default-resources:
  slurm_partition: {partition}
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    try:
        with single_node(tmp_path_factory.mktemp("slurm") / "node") as running:
            yield running
    except CannotRun as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with data, and two scales of one training each. Do not change it."""
    path = make_clone(tmp_path_factory.mktemp("prepared") / "clone")
    write_scale(path, SCALE, RUN, schedule=SCHEDULE, sub_heads=5)
    write_scale(path, "tiny", "digits/kmeans")
    iic(path, "dvc", "sync")
    commit(path)
    snakemake(path, "data", scale=SCALE)
    return path


@pytest.fixture(scope="module")
def undisturbed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The numbers of the training where nobody interrupts it."""
    path = copy(prepared, tmp_path_factory.mktemp("undisturbed") / "clone")
    snakemake(path, str(PLACE.receipt), scale=SCALE)
    assert len(sessions(path)) == 1
    return numbers(path)


def numbers(clone: Path) -> dict[str, bytes]:
    """What has to be the same, byte by byte, however often a training was interrupted."""
    history = [json.loads(line) for line in (clone / PLACE.history).read_text().splitlines()]
    timeless = [{key: epoch[key] for key in epoch.keys() - CLOCKS} for epoch in history]
    return {
        **contents(clone / PLACE.artifacts),
        "assignments": (clone / PLACE.assignments).read_bytes(),
        "history": json.dumps(timeless, sort_keys=True).encode(),
    }


def sessions(clone: Path) -> list[object]:
    """The stretches in which a training ran, from its receipt."""
    return [*read_record(clone / PLACE.receipt, Receipt).sessions]


def through(slurm: Slurm, folder: Path, partition: str) -> dict[str, str]:
    """Variables with which a command runs its jobs in that partition."""
    site = folder / "site"
    site.mkdir()
    (site / "config.yaml").write_text(SITE.format(partition=partition))
    path = os.pathsep.join([str(slurm.commands), environment()["PATH"]])
    return {"SNAKEMAKE_PROFILE": f"[{PROFILE}, {site}]", "PATH": path}


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for `condition`; fail if the process ends first."""
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, f"ended too early:\n{process.communicate()[0]}"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def epochs_done(clone: Path) -> int:
    """Epochs that the training has finished so far."""
    try:
        return len((clone / PLACE.scratch / "history.jsonl").read_text().splitlines())
    except FileNotFoundError:
        return 0


def preempt(slurm: Slurm, clone: Path, folder: Path, partition: str) -> tuple[Done, str, str]:
    """Train under Slurm, send a job before which the training gives way, and wait for both.

    Returns:
        What Snakemake said, the id of the training's first job, and that job's last words.
    """
    driver = subprocess.Popen(
        [sys.executable, "-m", "iic", "run", "--scale", SCALE, str(PLACE.receipt)],
        cwd=clone,
        env=environment(**through(slurm, folder, partition)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: epochs_done(clone) >= 3, driver)
        job = slurm("squeue", "--noheader", "--states=RUNNING", "--format=%i")
        urgent = slurm(
            "sbatch",
            "--parsable",
            "--partition=high",
            "--exclusive",
            "--output=/dev/null",
            "--wrap",
            "sleep 3",
        )
        until(lambda: state(slurm, urgent) in ("RUNNING", "COMPLETED"), driver)
        # Snakemake empties a job's log when the job starts again
        log = (clone / f"logs/{SCALE}/train/{RUN}/seed0.log").read_text()
        until(lambda: state(slurm, urgent) == "COMPLETED", driver)
        if f"preempted JobId={job} has been requeued" in slurm.log():
            # Slurm holds back for two minutes what it requeued
            slurm("scontrol", "update", f"JobId={job}", "StartTime=now")
        said, _ = driver.communicate(timeout=600)
    finally:
        driver.kill()
        driver.wait()
    return Done(driver.returncode, said), job, log


def state(slurm: Slurm, job: str) -> str:
    """State of a job, also of one that has ended."""
    return slurm("squeue", "--noheader", "--states=all", "--jobs", job, "--format=%T")


def test_a_preempted_training_is_requeued_and_ends_with_the_same_bytes(
    slurm: Slurm, prepared: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    clone = copy(prepared, tmp_path / "clone")
    done, job, log = preempt(slurm, clone, tmp_path, "low")
    assert done.status == 0, done.said
    assert f"preempted JobId={job} has been requeued" in slurm.log()
    shown = slurm("scontrol", "show", "job", job)
    assert "Restarts=1" in shown and "JobState=COMPLETED" in shown
    assert done.said.count("has been submitted with SLURM jobid") == 1
    # the signal came through batch script, srun and Snakemake to the training, which saved
    assert re.search(r"SIGTERM after step \d+", log), log
    assert len(sessions(clone)) == 2
    assert numbers(clone) == undisturbed


def test_a_training_that_ends_at_the_notice_is_submitted_anew_with_more_memory(
    slurm: Slurm, prepared: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """GraceTime: Slurm takes the early end for a failure, and does not requeue it."""
    clone = copy(prepared, tmp_path / "clone")
    done, first, log = preempt(slurm, clone, tmp_path, "grace")
    assert done.status == 0, done.said
    assert re.search(r"SIGTERM after step \d+", log), log
    assert "JobState=FAILED" in slurm("scontrol", "show", "job", first)
    jobs = re.findall(r"has been submitted with SLURM jobid (\d+)", done.said)
    assert len(jobs) == 2 and jobs[0] == first
    asked = [
        int(re.search(r"MinMemoryNode=(\d+)M", slurm("scontrol", "show", "job", job))[1])
        for job in jobs
    ]
    assert asked[1] == 2 * asked[0]
    assert len(sessions(clone)) == 2
    assert numbers(clone) == undisturbed


def dvc_repro(slurm: Slurm, clone: Path, folder: Path, stage: str) -> Done:
    variables = through(slurm, folder, "low")
    index = str(folder / "dvc-site-cache")
    command = [sys.executable, "-m", "dvc", "repro", stage]
    return run(clone, *command, seconds=3600, DVC_SITE_CACHE_DIR=index, **variables)


@pytest.mark.timeout(5400)
@pytest.mark.parametrize("scale", ["tiny", "smoke"])
def test_dvc_repro_makes_all_runs_through_slurm(
    slurm: Slurm, prepared: Path, tmp_path: Path, scale: str
) -> None:
    clone = copy(prepared, tmp_path / "clone")
    done = dvc_repro(slurm, clone, tmp_path, f"runs@{scale}")
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", done.said)
    states = slurm("squeue", "--noheader", "--states=all", "--format=%i %T").splitlines()
    assert submitted and {f"{job} COMPLETED" for job in submitted[-20:]} <= {*states}
    assert "up to date" in run(clone, sys.executable, "-m", "dvc", "status", f"runs@{scale}").said
    # the lock is the same, whatever ran the jobs: no word of Slurm in it
    lock = (clone / "dvc.lock").read_text()
    assert f"runs@{scale}" in lock and "slurm" not in lock
    assert not git(clone, "status", "--porcelain", "params", "workflow")
