"""Everything, or a job alone, killed at a random moment: the same command ends with the same bytes.

The seed of the moments is drawn anew each time and stands in the output, the trials too;
``IIC_FAULT_SEED`` repeats one, ``IIC_FAULT_LOG`` names a file that each trial adds a line to.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pytest

from iic.evaluate.run import evaluate_run
from iic.records.evaluation import Evaluation
from iic.records.files import read_record, sha256_file
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt
from tests.workflow.test_faults import (
    CHECKPOINT,
    RUN,
    SCALE,
    SCORED,
    Pair,
    ended,
    numbers,
    start,
    trainable,
    undisturbed,
)
from tests.workflow.workflow_helpers import copy, iic, run, snakemake_command

__all__ = ["trainable", "undisturbed"]

PLACE = RunPaths(SCALE, RUN, 0)
# after any kill: jobs that were cut off are run again
COMMAND = snakemake_command("--rerun-incomplete", str(PLACE.evaluation), scale=SCALE)
TRIALS = 20


@dataclass(frozen=True)
class Trial:
    """One kill."""

    number: int
    victim: str
    """``job``: the verb that runs at that moment; ``all``: the process group of Snakemake."""
    signal: str
    after: str
    """``start`` of the command, or the first ``checkpoint``."""
    moment: float
    """Seconds after that."""

    def hit(self, process: subprocess.Popen[str], clone: Path) -> str:
        """Kill, and say what was running; nothing where everything was done before."""
        while self.after == "checkpoint" and not (clone / CHECKPOINT).exists():
            if process.poll() is not None:
                break
            time.sleep(0.002)
        end = time.monotonic() + self.moment
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.002)
        number = signal.Signals[self.signal]
        while process.poll() is None:
            running = verbs(process)
            if self.victim == "all":
                os.killpg(process.pid, number)
                return running[0][1] if running else "snakemake"
            if running:
                running[0][0].send_signal(number)
                return running[0][1]
            time.sleep(0.002)
        return "nothing"


@dataclass(frozen=True)
class Entry:
    """What a trial came to."""

    seed: int
    trial: Trial
    hit: str
    """The verb that ran when the signal came."""
    status: int
    """Exit status of the killed Snakemake."""
    resumed: bool
    """Whether the training went on from a checkpoint."""


def verbs(process: subprocess.Popen[str]) -> list[tuple[psutil.Process, str]]:
    """The verbs that a Snakemake runs just now."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        try:
            words = one.cmdline()
        except psutil.Error:
            continue
        if words[1:3] == ["-m", "iic"]:
            found.append((one, words[3]))
    return found


KINDS = [("job", "SIGKILL"), ("all", "SIGKILL"), ("job", "SIGTERM"), ("all", "SIGTERM")]
TRAINING_SECONDS = 2.0
"""About the time from the first checkpoint to the end of training."""


def drawn(seed: int, number: int, longest: float) -> Trial:
    """A trial whose moment lies anywhere in the time that the command, or its training, takes."""
    chance = random.Random(f"{seed} {number} {longest}")
    victim, name = KINDS[number % len(KINDS)]
    if number // len(KINDS) % 2:
        return Trial(number, victim, name, "checkpoint", chance.uniform(0, TRAINING_SECONDS))
    return Trial(number, victim, name, "start", chance.uniform(0, longest))


def kill_and_repeat(
    seed: int, number: int, longest: float, trainable: Path, place: Path, expected: dict[str, bytes]
) -> Entry:
    """Kill, look at what is left, run the same command again, compare every byte."""
    while True:
        shutil.rmtree(place, ignore_errors=True)
        clone = copy(trainable, place)
        trial, begin = drawn(seed, number, longest), time.monotonic()
        process = start(clone, *COMMAND)
        running = trial.hit(process, clone)
        stopped = ended(process)
        what = f"IIC_FAULT_SEED={seed}: {trial} hit {running}"
        if running != "nothing":
            break
        # the machine was quicker this time, so the moment came too late and shows nothing
        assert stopped.status == 0, f"{what}\n{stopped.said}"
        assert numbers(clone) == expected, what
        longest = 0.9 * min(longest, time.monotonic() - begin)
    left = [path for path in (clone / "results" / SCALE).rglob("*") if path.is_file()]
    for path in left:
        if path.name.endswith("run.json"):
            vouched_for(clone, path, what)

    # a Snakemake that was killed has left its lock, and says so
    if (trial.victim, trial.signal) == ("all", "SIGKILL"):
        run(clone, *snakemake_command("--unlock", scale=SCALE), expect=None)
    again = run(clone, *COMMAND, expect=None)
    assert again.status == 0, f"{what}\n{again.said[-3000:]}"
    assert numbers(clone) == expected, what
    scored = evaluate_run(PLACE, *SCORED, clone)
    assert read_record(clone / PLACE.evaluation, Evaluation) == scored, what
    for path in (clone / "results" / SCALE).rglob("*run.json"):
        vouched_for(clone, path, what)
    for room in ("results", "scratch"):
        assert not list((clone / room).rglob("*.part")), what
    assert not (clone / PLACE.scratch).exists(), what
    audit = iic(clone, "audit", "--scale", SCALE, expect=None)
    assert audit.status == 0, f"{what}\n{audit.said}"
    resumed = "going on at epoch" in (clone / PLACE.log).read_text()
    shutil.rmtree(clone)
    entry = Entry(seed, trial, running, stopped.status, resumed)
    if log := os.environ.get("IIC_FAULT_LOG"):
        with Path(log).open("a") as file:
            file.write(json.dumps({**asdict(entry), "same_bytes": True}) + "\n")
    return entry


def vouched_for(clone: Path, receipt: Path, what: str) -> None:
    """Wherever a receipt lies, all that it names is whole."""
    for output in read_record(receipt, Receipt).outputs:
        assert sha256_file(clone / output.path) == output.sha256, f"{what}: {output.path}"


def seed_of(record: pytest.FixtureRequest) -> int:
    seed = int(os.environ.get("IIC_FAULT_SEED", secrets.randbelow(1 << 32)))
    record.node.user_properties.append(("seed", seed))
    print(f"IIC_FAULT_SEED={seed}")
    return seed


@pytest.mark.long
def test_everything_killed_at_a_random_moment_ends_with_the_same_bytes(
    trainable: Path, undisturbed: Pair, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed, expected = seed_of(request), numbers(undisturbed.path)
    assert KINDS[1] == ("all", "SIGKILL")
    kill_and_repeat(seed, 1, 8.0, trainable, tmp_path / "clone", expected)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_kills_at_random_moments_end_with_the_same_bytes(
    trainable: Path, undisturbed: Pair, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed, expected = seed_of(request), numbers(undisturbed.path)
    timed = copy(trainable, tmp_path / "timed")
    begin = time.monotonic()
    run(timed, *COMMAND)
    longest = time.monotonic() - begin

    def trial(number: int) -> Entry:
        place = tmp_path / f"trial{number}"
        return kill_and_repeat(seed, number, longest, trainable, place, expected)

    with ThreadPoolExecutor(2) as pool:
        entries = list(pool.map(trial, range(TRIALS)))
    assert len(entries) == TRIALS
    # some must have met a training with a checkpoint, else resuming was never tried
    assert sum(one.resumed for one in entries) >= 3, entries
