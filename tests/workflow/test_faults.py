"""Full disks, read-only folders, two drivers at once, and trainings killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from iic.evaluate.run import evaluate_run
from iic.params.datasets import find_dataset
from iic.params.evaluation import EvaluationSettings
from iic.records.paths import RunPaths
from tests.workflow.workflow_helpers import (
    ROOT,
    Done,
    Finished,
    contents,
    copy,
    environment,
    run,
    snakemake_command,
    write_scale,
)

SCALE, RUN = "interruptible", "digits/iic"
SCORED = (EvaluationSettings(), find_dataset("digits", ROOT / "params/datasets.yaml"))
CHECKPOINT = RunPaths(SCALE, RUN, 0).scratch / "checkpoint.pt"
CLOCKS = {"seconds", "pairs_per_second"}
IIC, RECEIPT = [sys.executable, "-m", "iic"], RunPaths(SCALE, RUN, 0).receipt
BY_SNAKEMAKE = snakemake_command(str(RECEIPT), scale=SCALE)
COMMANDS = {
    "train": [*IIC, "train", "--scale", SCALE, "--run", RUN],
    "snakemake": BY_SNAKEMAKE,
    "run": [*IIC, "run", "--scale", SCALE, str(RECEIPT)],
}
CASES = [("snakemake", "SIGKILL"), ("train", "SIGTERM"), ("train", "SIGKILL"), ("run", "SIGTERM")]


def start(clone: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        command,
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(
    condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120
) -> None:
    """Wait for `condition`; fail if the process ends first."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended too early:\n{process.communicate()[0]}"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def in_second_epoch(clone: Path) -> bool:
    """Whether a checkpoint was saved well after the first epoch."""
    try:
        history = (clone / CHECKPOINT).with_name("history.jsonl")
        saved = (clone / CHECKPOINT).stat().st_mtime - history.stat().st_mtime
        return len(history.read_text().splitlines()) == 2 and saved > 0.05
    except FileNotFoundError:
        return False


def ended(process: subprocess.Popen[str]) -> Done:
    said, _ = process.communicate(timeout=300)
    return Done(process.returncode, said)


def numbers(clone: Path) -> dict[str, bytes]:
    """What has to be the same, byte by byte, however often a training was interrupted."""
    run_paths = RunPaths(SCALE, RUN, 0)
    history = [json.loads(line) for line in (clone / run_paths.history).read_text().splitlines()]
    timeless = [{key: epoch[key] for key in epoch.keys() - CLOCKS} for epoch in history]
    files = (run_paths.weights, run_paths.probabilities, run_paths.snapshots, run_paths.assignments)
    return {
        **{path.name: (clone / path).read_bytes() for path in files},
        "evaluation.json": evaluate_run(run_paths, *SCORED, clone).model_dump_json().encode(),
        "history.jsonl": json.dumps(timeless, sort_keys=True).encode(),
    }


@dataclass(frozen=True)
class Pair:
    """A run that nobody disturbed, and what a second Snakemake in its clone came to."""

    path: Path
    first: Done
    second: Done


@dataclass(frozen=True)
class Interrupted:
    """A training that was ended half-way, and the same command again."""

    path: Path
    stopped: Done
    left: set[str]
    """Files in scratch/ and results/ between the two."""
    finished: Done


@pytest.fixture(scope="module")
def trainable(tiny: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with data and one training to do. Do not change it."""
    path = copy(tiny.path, tmp_path_factory.mktemp("trainable") / "clone")
    # ends in the second epoch, and saves every few steps
    schedule = {"epochs": 4, "max_steps": 90, "checkpoint_seconds": 0.05, "snapshot_steps": [0, 70]}
    write_scale(path, SCALE, RUN, schedule=schedule, sub_heads=5)
    return path


@pytest.fixture(scope="module")
def undisturbed(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The training run through Snakemake, while a second Snakemake tries the same."""
    path = copy(trainable, tmp_path_factory.mktemp("undisturbed") / "clone")
    first = start(path, *BY_SNAKEMAKE)
    # its lock is whole by the time that it marks a job's outputs as incomplete
    until(lambda: any((path / ".snakemake/incomplete").glob("*")), first)
    second = run(path, *BY_SNAKEMAKE, expect=None)
    return Pair(path, ended(first), second)


def interrupt_and_repeat(clone: Path, driver: str, number: str) -> Interrupted:
    command = COMMANDS[driver]
    process = start(clone, *command)
    until(lambda: in_second_epoch(clone), process)
    if number == "SIGTERM":
        # as a batch system ends a job: everything is told at once
        os.killpg(process.pid, signal.SIGTERM)
    else:
        training(process).kill()
    stopped = ended(process)
    left = {*contents(clone / "scratch"), *contents(clone / "results" / SCALE)}
    return Interrupted(clone, stopped, left, run(clone, *command))


def test_a_second_snakemake_stops_and_the_first_goes_on(undisturbed: Pair) -> None:
    assert undisturbed.second.status != 0
    assert "cannot be locked" in undisturbed.second.said
    assert "Traceback" not in undisturbed.second.said
    assert undisturbed.first.status == 0, undisturbed.first.said
    assert numbers(undisturbed.path)["weights.safetensors"]
    assert not (undisturbed.path / CHECKPOINT).exists()


@pytest.mark.parametrize(
    "case",
    [CASES[0], *(pytest.param(case, marks=pytest.mark.long) for case in CASES[1:])],
    ids="-".join,
)
def test_h9_a_killed_training_goes_on_to_the_same_bytes(
    undisturbed: Pair, trainable: Path, tmp_path: Path, case: tuple[str, str]
) -> None:
    """Snakemake deletes what a failed job has written, so checkpoints are no outputs."""
    result = interrupt_and_repeat(copy(trainable, tmp_path / "clone"), *case)
    assert result.stopped.status != 0
    if case[1] == "SIGTERM":
        said = result.stopped.said
        assert "SIGTERM after step" in said and "run the same command again" in said
        assert "Traceback" not in said
    assert str(CHECKPOINT.relative_to("scratch")) in result.left
    assert not any(name.endswith("run.json") for name in result.left)

    log = result.path / RunPaths(SCALE, RUN, 0).log
    assert "going on at epoch" in (log.read_text() if log.exists() else result.finished.said)
    assert numbers(result.path) == numbers(undisturbed.path)
    sessions = json.loads((result.path / RECEIPT).read_text())["sessions"]
    assert len(sessions) == 2
    assert 50 < sessions[0]["last_step"] == sessions[1]["first_step"] < sessions[1]["last_step"]
    assert not (result.path / CHECKPOINT).exists()


def training(process: subprocess.Popen[str]) -> psutil.Process:
    """The process that trains: this one, or the one that a Snakemake has started."""
    top = psutil.Process(process.pid)
    family = [top, *top.children(recursive=True)]
    (found,) = [one for one in family if one.cmdline()[2:4] == ["iic", "train"]]
    return found


def namespace() -> list[str]:
    """How to run a command with mounts of its own, which vanish with it."""
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        tried = [*command, "bash", "-c", "mount -t tmpfs -o size=64k none /mnt"]
        if shutil.which("unshare") and subprocess.run(tried, capture_output=True).returncode == 0:
            return command
    pytest.skip("no mount namespaces here, and permissions do not bind a superuser")


def test_a_read_only_results_folder_is_a_clear_error(tiny_copy: Path) -> None:
    write_scale(tiny_copy, "tiny", "digits/kmeans", restarts=2)
    before = contents(tiny_copy / "results")
    script = f"""
        mount --bind results results && mount -o remount,ro,bind results || exit 9
        {" ".join(snakemake_command("runs", scale="tiny"))}; echo "ENDED $?"
        python -m iic evaluate --scale tiny --dataset digits; echo "ENDED $?"
    """
    done = run(tiny_copy, *namespace(), "bash", "-c", script)
    through, by_hand, rest = done.said.split("ENDED 1")
    assert not rest.strip() and "Traceback" not in done.said
    folder = "results/tiny/runs/digits/kmeans/seed0"
    # training and scoring have to run again for the new setting; Snakemake names the outputs of
    # whichever it looks at first
    assert "Write-protected output files" in through and f"{folder}/" in through
    by_verb = f"error: {folder}/evaluation.run.json: cannot be replaced: Read-only file system"
    assert by_verb in by_hand
    assert contents(tiny_copy / "results") == before


def test_a_full_disk_is_a_clear_error_and_the_same_command_completes_later(
    tiny_copy: Path,
) -> None:
    shutil.rmtree(tiny_copy / "results")
    command = " ".join(snakemake_command("runs", scale="tiny"))
    script = f"""
        mkdir results && mount -t tmpfs -o size=1m none results
        dd if=/dev/zero of=results/filler bs=1k count=1012 status=none
        {command}; echo "FIRST $?"
        find results -type f -printf 'LEFT %p\\n'
        rm results/filler
        {command}; echo "SECOND $?"
        find results -type f -printf 'MADE %p\\n'
    """
    done = run(tiny_copy, *namespace(), "bash", "-c", script)
    assert "FIRST 1" in done.said and "SECOND 0" in done.said, done.said
    full, completed = done.said.split("FIRST 1")
    assert "No space left on device" in full and "Traceback" not in full, full
    left = {line.split()[1] for line in completed.splitlines() if line.startswith("LEFT ")}
    made = {line.split()[1] for line in completed.splitlines() if line.startswith("MADE ")}
    assert "results/filler" in left
    assert not {name for name in left if name.endswith((".parquet", ".safetensors", ".json"))}
    folder = "results/tiny/runs/digits/kmeans/seed0"
    assert {f"{folder}/run.json", f"{folder}/evaluation.json"} <= made
    assert not {name for name in made if name.endswith(".part")}


FULL = {
    "checkpoint": (
        f"scratch/{SCALE}",
        f"python -m iic train --scale {SCALE} --run {RUN}",
        "checkpoint.pt",
    ),
    "evaluation": (
        "results/smoke/runs/digits/kmeans/seed0",
        "python -m iic evaluate --scale smoke --dataset digits",
        "evaluation.json",
    ),
    "table": (
        "results/smoke/tables",
        "python -m iic tabulate --scale smoke --name table_1",
        "table_1.csv",
    ),
    "figure": (
        "results/smoke/figures",
        "python -m iic draw --scale smoke --name figure_3",
        "figure_3.svg",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("what", FULL)
def test_a_disk_that_is_full_under_one_job_is_a_clear_error(
    what: str, smoke: Finished, trainable: Path, tmp_path: Path
) -> None:
    clone = copy(trainable if what == "checkpoint" else smoke.path, tmp_path / "clone")
    if what == "checkpoint":
        # there are 64 KiB for the history, which is written before it, and nothing else is
        write_scale(clone, SCALE, RUN, schedule={"epochs": 2, "snapshot_steps": []}, sub_heads=5)
    folder, command, file = FULL[what]
    target = f"{folder}/{file}" if what != "checkpoint" else str(CHECKPOINT)
    # what the job reads there stays, what it makes goes, and the rest of the disk is taken
    script = f"""
        mkdir -p {folder} && cp -a {folder} {tmp_path}/kept
        mount -t tmpfs -o size=16m none {folder} && cp -a {tmp_path}/kept/. {folder}/
        rm -f {target} {Path(target).with_suffix(".run.json")}
        dd if=/dev/zero of={folder}/filler bs=1k status=none 2>/dev/null
        {"truncate -s -64K " + folder + "/filler" if what == "checkpoint" else ""}
        {command}; echo "FIRST $?"
        find {folder} results -type f -printf 'LEFT %p\\n'
        rm {folder}/filler
        {command}; echo "SECOND $?"
        find {folder} results -type f -printf 'MADE %p\\n'
    """
    done = run(clone, *namespace(), "bash", "-c", script)
    full, rest = done.said.split("FIRST 1")
    left, made = rest.split("SECOND 0")
    assert "No space left on device" in full and "Traceback" not in full, full
    assert f"error: {target}: cannot be written" in full, full
    receipt = str(RECEIPT if what == "checkpoint" else Path(target).with_suffix(".run.json"))
    for name in (target, receipt):
        assert f"LEFT {name}\n" not in left
    assert f"MADE {receipt}\n" in made
    assert ".part\n" not in left + made
