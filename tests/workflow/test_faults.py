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
from workflow_helpers import (
    Done,
    Finished,
    contents,
    copy,
    environment,
    iic,
    run,
    snakemake,
    snakemake_command,
    write_scale,
)

SCALE = "interruptible"
PLACE = Path(f"results/{SCALE}/runs/digits/iic/seed0")
ARTIFACTS = Path(f"results/{SCALE}/artifacts/digits/iic/seed0")
CHECKPOINT = Path(f"scratch/{SCALE}/digits/iic/seed0/checkpoint.pt")
TRAIN = ("train", "--scale", SCALE, "--run", "digits/iic")
CLOCKS = {"seconds", "pairs_per_second"}


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
    history = [
        json.loads(line) for line in (clone / PLACE / "history.jsonl").read_text().splitlines()
    ]
    timeless = [{key: epoch[key] for key in epoch.keys() - CLOCKS} for epoch in history]
    files = [ARTIFACTS / name for name in ("weights.safetensors", "probabilities.parquet")]
    files += [ARTIFACTS / "snapshots.parquet", PLACE / "assignments.parquet"]
    files += [PLACE / "evaluation.json"]
    return {
        **{path.name: (clone / path).read_bytes() for path in files},
        "history": json.dumps(timeless, sort_keys=True).encode(),
    }


@dataclass(frozen=True)
class Pair:
    """A run that nobody disturbed, and what a second Snakemake in its clone came to."""

    path: Path
    first: Done
    second: Done


@pytest.fixture(scope="module")
def trainable(tiny: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with data and one training to do. Do not change it."""
    path = copy(tiny.path, tmp_path_factory.mktemp("trainable") / "clone")
    # ends in the second epoch, and saves every few steps
    schedule = {"epochs": 4, "max_steps": 90, "checkpoint_seconds": 0.05, "snapshot_steps": [0, 70]}
    write_scale(path, SCALE, "digits/iic", schedule=schedule, sub_heads=5)
    return path


@pytest.fixture(scope="module")
def undisturbed(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The training run through Snakemake, while a second Snakemake tries the same."""
    path = copy(trainable, tmp_path_factory.mktemp("undisturbed") / "clone")
    first = start(path, *snakemake_command("runs", scale=SCALE))
    until(lambda: any((path / ".snakemake/locks").glob("*")), first)
    second = snakemake(path, "runs", scale=SCALE, expect=None)
    return Pair(path, ended(first), second)


def test_a_second_snakemake_stops_and_the_first_goes_on(undisturbed: Pair) -> None:
    assert undisturbed.second.status != 0
    assert "cannot be locked" in undisturbed.second.said
    assert "Traceback" not in undisturbed.second.said
    assert undisturbed.first.status == 0, undisturbed.first.said
    assert set(numbers(undisturbed.path)) and not (undisturbed.path / CHECKPOINT).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("driver", ["iic", "snakemake"])
def test_a_killed_training_goes_on_to_the_same_bytes(
    trainable: Path, undisturbed: Pair, tmp_path: Path, number: signal.Signals, driver: str
) -> None:
    clone = copy(trainable, tmp_path / "clone")
    by_hand = driver == "iic"
    again = [sys.executable, "-m", "iic", *TRAIN]
    if not by_hand:
        again = snakemake_command("runs", scale=SCALE)
    process = start(clone, *again)
    until(lambda: in_second_epoch(clone), process)
    if by_hand:
        process.send_signal(number)
    elif number is signal.SIGTERM:
        # as a batch system ends a job: everything is told at once
        os.killpg(process.pid, number)
    else:
        training(process).kill()
    stopped = ended(process)
    assert stopped.status != 0
    if number is signal.SIGTERM:
        assert "SIGTERM after step" in stopped.said and "run the same command again" in stopped.said
        assert "Traceback" not in stopped.said
    assert not (clone / PLACE / "run.json").exists()
    assert (clone / CHECKPOINT).exists()

    finished = run(clone, *again)

    assert "going on at epoch" in finished.said
    if by_hand:
        iic(clone, "evaluate", "--scale", SCALE, "--dataset", "digits")
    assert numbers(clone) == numbers(undisturbed.path)
    sessions = json.loads((clone / PLACE / "run.json").read_text())["sessions"]
    assert len(sessions) == 2
    assert 50 < sessions[0]["last_step"] == sessions[1]["first_step"] < sessions[1]["last_step"]
    assert not (clone / CHECKPOINT).exists()


def training(process: subprocess.Popen[str]) -> psutil.Process:
    """The training that a Snakemake has started."""
    (found,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "python" in child.name() and "train" in child.cmdline()
    ]
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
    file = "results/tiny/runs/digits/kmeans/seed0/evaluation"
    assert "Write-protected output files" in through and f"{file}.json" in through
    assert f"error: {file}.run.json: cannot be replaced: Read-only file system" in by_hand
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
