"""Everything, or a job alone, killed at a random moment: the same command ends with the same bytes.

The seed of the moments is drawn anew each time and stands in the output, the trials too;
``IIC_FAULT_SEED`` repeats one, ``IIC_FAULT_LOG`` names a file that each trial adds a line to.
"""

from __future__ import annotations

import json
import os
import random
import secrets
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
    moment: float
    """Seconds after the start."""

    def hit(self, process: subprocess.Popen[str]) -> str:
        """Kill, and say what was running; nothing where everything was done before."""
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


def drawn(seed: int, trials: int, longest: float, *kinds: tuple[str, str]) -> list[Trial]:
    """Trials whose moments lie anywhere in the time that the command takes."""
    chance = random.Random(seed)
    return [
        Trial(number, *kinds[number % len(kinds)], round(chance.uniform(0, longest), 3))
        for number in range(trials)
    ]


def kill_and_repeat(trial: Trial, clone: Path, expected: dict[str, bytes], seed: int) -> str:
    """Kill, look at what is left, run the same command again, compare every byte."""
    process = start(clone, *COMMAND)
    running = trial.hit(process)
    stopped = ended(process)
    what = f"seed {seed}: {trial} hit {running}"
    assert (stopped.status == 0) == (running == "nothing"), f"{what}\n{stopped.said}"
    left = [path for path in (clone / "results" / SCALE).rglob("*") if path.is_file()]
    for path in left:
        if path.name.endswith("run.json"):
            vouched_for(clone, path, what)

    # a Snakemake that was killed has left its lock, and says so
    if (trial.victim, trial.signal) == ("all", "SIGKILL") and running != "nothing":
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
    if log := os.environ.get("IIC_FAULT_LOG"):
        resumed = "going on at epoch" in again.said
        entry = {"seed": seed, **asdict(trial), "hit": running, "left": len(left)}
        with Path(log).open("a") as file:
            file.write(json.dumps({**entry, "resumed": resumed, "same_bytes": True}) + "\n")
    return running


def vouched_for(clone: Path, receipt: Path, what: str) -> None:
    """Wherever a receipt lies, all that it names is whole."""
    for output in read_record(receipt, Receipt).outputs:
        assert sha256_file(clone / output.path) == output.sha256, f"{what}: {output.path}"


def seed_of(record: pytest.FixtureRequest) -> int:
    seed = int(os.environ.get("IIC_FAULT_SEED", secrets.randbelow(1 << 32)))
    record.node.user_properties.append(("seed", seed))
    print(f"IIC_FAULT_SEED={seed}")
    return seed


def test_everything_killed_at_a_random_moment_ends_with_the_same_bytes(
    trainable: Path, undisturbed: Pair, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = seed_of(request)
    (trial,) = drawn(seed, 1, 8.0, ("all", "SIGKILL"))
    kill_and_repeat(trial, copy(trainable, tmp_path / "clone"), numbers(undisturbed.path), seed)


@pytest.mark.long
def test_twenty_kills_at_random_moments_end_with_the_same_bytes(
    trainable: Path, undisturbed: Pair, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed, expected = seed_of(request), numbers(undisturbed.path)
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        # two at a time, as the trials will run
        clones = [copy(trainable, tmp_path / f"timed{number}") for number in range(2)]
        list(pool.map(lambda clone: run(clone, *COMMAND), clones))
        longest = time.monotonic() - begin
        kinds = [("job", "SIGKILL"), ("all", "SIGKILL"), ("job", "SIGTERM"), ("all", "SIGTERM")]
        trials = drawn(seed, TRIALS, longest, *kinds)
        hit = pool.map(
            lambda one: kill_and_repeat(
                one, copy(trainable, tmp_path / f"trial{one.number}"), expected, seed
            ),
            trials,
        )
        counted = list(hit)
    # a trial that came too late shows nothing; most must have hit something
    assert sum(one != "nothing" for one in counted) >= TRIALS * 3 // 4, counted
    assert "train" in counted
