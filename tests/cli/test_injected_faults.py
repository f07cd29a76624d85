"""Every kind of job, killed or failing at any of the steps by which it changes files.

Steps are counted (`tests/fault_driver.py`), so that a seed repeats a trial exactly;
``IIC_FAULT_SEED`` draws others, ``IIC_FAULT_TRIALS`` fewer or more; ``IIC_FAULT_FIRST`` goes on at
one.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import jobs
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.checksums import CHECKPOINT, SUMS
from iic.records.files import TEMPORARY, read_record, sha256_file
from iic.records.history import TIME_FIELDS
from iic.records.receipt import Receipt
from tests.cli.cli_helpers import Said, environment
from tests.conftest import ROOT, SCALE

SEED = int(os.environ.get("IIC_FAULT_SEED", "22"))
KILLS = int(os.environ.get("IIC_FAULT_TRIALS", "200"))
FIRST = int(os.environ.get("IIC_FAULT_FIRST", "0"))
STEPS_TRIED = 12
"""Steps at which each fault comes, for each kind of job."""
PLAN = load_plan(SCALE)
TRAINED = ("digits/kmeans", "digits/iic", "stl10_standin/finetune", "cocostuff3_standin/iic")
KINDS: dict[str, Job] = {
    "download": jobs.download("digits"),
    "prepare": jobs.prepare("digits"),
    "prepare maps": jobs.prepare("cocostuff3_standin"),
    **{f"train {run}": jobs.train(SCALE, run, 0) for run in TRAINED},
    "evaluate": jobs.evaluate(SCALE, "digits/kmeans", 0),
    "table": jobs.tabulate(SCALE, "table_1"),
    "listing": jobs.tabulate(SCALE, next(iter(PLAN.listings))),
    "figure": jobs.draw(SCALE, "figure_3"),
    "audit": jobs.audit(SCALE),
    "report": jobs.report(SCALE),
}
FAULTS = {
    "ENOSPC": "No space left on device",
    "EDQUOT": "Disk quota exceeded",
    "EIO": "Input/output error",
    "EROFS": "Read-only file system",
    "EACCES": "Permission denied",
    "short write": "File too large",
}
"""What goes wrong from a step on, and what the system calls it."""
AUDIT = ("--allow-drift", "--no-infer")
"""What the workflow tells the audit, and that drift is of no account."""


@dataclass(frozen=True)
class Clone:
    """A finished clone, what it was, and the process that does verbs in it."""

    path: Path
    original: Path
    driver: subprocess.Popen[str]

    def run(self, job: Job, fault: str | None = None, at: int = 0) -> tuple[Said, list[str]]:
        """Do a job; how it ended, and its steps unless it was killed."""
        assert self.driver.stdin is not None and self.driver.stdout is not None
        print(json.dumps([words(job), fault, at]), file=self.driver.stdin, flush=True)
        answer = json.loads(self.driver.stdout.readline())
        return Said(answer["status"], answer["said"]), answer["steps"]

    def remove(self, job: Job) -> None:
        """Take away what a job makes, and its checkpoints."""
        for path in made(job):
            (self.path / path).unlink(missing_ok=True)
        shutil.rmtree(self.path / paths.SCRATCH, ignore_errors=True)

    def restore(self, job: Job) -> None:
        """Have it as it was, so that all chains are closed."""
        self.remove(job)
        for path in made(job):
            if (self.original / path).exists():
                shutil.copy2(self.original / path, self.path / path)

    def contents(self, job: Job) -> dict[str, object]:
        """What a job made, without its times."""
        files = (path for path in made(job) if path != job.receipt or job.rule == "audit")
        return {
            str(path): timeless(self.path / path)
            for path in files
            if (self.path / path).exists() and path.suffix != ".html"
        }

    def vouched(self, job: Job) -> bool:
        """Whether there is a receipt, of which all is true."""
        receipt = self.path / job.receipt
        if job.rule == "audit" or not receipt.exists():
            return False
        for output in read_record(receipt, Receipt).outputs:
            assert sha256_file(self.path / output.path) == output.sha256, output.path
        return True

    def left_over(self) -> list[Path]:
        """Files that a writer has left."""
        rooms = (self.path / room for room in ("data", "results", "scratch"))
        return [path for room in rooms for path in room.rglob(f"*{TEMPORARY}")]


def words(job: Job) -> list[str]:
    """The verb that does a job."""
    options = [word for name, value in job.wildcards.items() for word in (f"--{name}", value)]
    return [job.rule, *options, *(AUDIT if job.rule == "audit" else ())]


def made(job: Job) -> tuple[Path, ...]:
    """Files that a job may write; of raw files those of the digits."""
    raw = [paths.raw_folder("digits") / file.name for file in PLAN.datasets["digits"].raw_files]
    return (*job.outputs, job.receipt, *(raw if job.rule == "download" else ()))


def timeless(path: Path) -> object:
    if path.name == "history.jsonl":
        lines = map(json.loads, path.read_text().splitlines())
        return [{key: line[key] for key in line.keys() - set(TIME_FIELDS)} for line in lines]
    if path.name == "audit.json":
        return {**json.loads(path.read_text()), "at": None}
    return path.read_bytes()


@pytest.fixture(scope="module")
def clone(finished_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    path = tmp_path_factory.mktemp("faulty") / "clone"
    shutil.copytree(finished_tree, path, symlinks=True)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests/fault_driver.py"), SCALE],
        cwd=path,
        env=environment(path, PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stdout is not None and driver.stdout.readline() == "ready\n"
        yield Clone(path, finished_tree, driver)
        assert driver.stdin is not None
        driver.stdin.close()


@dataclass(frozen=True)
class Undisturbed:
    """What a job makes, and in which steps."""

    contents: dict[str, object]
    steps: list[str]


def undisturbed(clone: Clone, job: Job, known: dict[str, Undisturbed]) -> Undisturbed:
    if job.name not in known:
        clone.remove(job)
        said, steps = clone.run(job)
        assert said.status == 0, said.text
        known[job.name] = Undisturbed(clone.contents(job), steps)
        clone.restore(job)
    return known[job.name]


@pytest.fixture(scope="module")
def known() -> dict[str, Undisturbed]:
    return {}


def completed(clone: Clone, job: Job, expected: Undisturbed, what: str) -> None:
    """The same command ends well, with the same bytes, and nothing else is left."""
    said, _ = clone.run(job)
    assert said.status == 0, f"{what}\n{said.text[-3000:]}"
    assert clone.contents(job) == expected.contents, what
    assert job.rule == "audit" or clone.vouched(job), what
    assert not clone.left_over(), what
    assert not any((clone.path / paths.SCRATCH).rglob("*.*")), what


def kill(clone: Clone, number: int, known: dict[str, Undisturbed]) -> None:
    """One job killed at one step; the kinds take turns."""
    kind = list(KINDS)[number % len(KINDS)]
    job = KINDS[kind]
    expected = undisturbed(clone, job, known)
    at = random.Random(f"{SEED} {number}").randint(1, len(expected.steps))
    what = f"IIC_FAULT_SEED={SEED}: {number}: {kind} killed at {at}: {expected.steps[at - 1]}"
    clone.remove(job)
    said, _ = clone.run(job, "kill", at)
    assert said.status == -signal.SIGKILL, f"{what}\n{said.text}"
    clone.vouched(job)
    completed(clone, job, expected, what)
    clone.restore(job)


def fail(clone: Clone, kind: str, fault: str, at: int, known: dict[str, Undisturbed]) -> None:
    """A disk that fails from one step on: an error that names it, and nothing false is left."""
    job = KINDS[kind]
    expected = undisturbed(clone, job, known)
    what = f"{kind}, {fault} from {at} on: {expected.steps[at - 1]}"
    clone.remove(job)
    said, _ = clone.run(job, fault, at)
    assert "Traceback" not in said.text, f"{what}\n{said.text}"
    if said.status == 0:  # nothing was left to do but to tidy up
        assert clone.contents(job) == expected.contents, what
        assert job.rule == "audit" or clone.vouched(job), what
    else:
        assert said.status == 1 and FAULTS[fault] in said.text, f"{what}\n{said.text}"
        clone.vouched(job)


def test_a_job_of_each_kind_killed_at_a_step_ends_with_the_same_bytes(
    clone: Clone, known: dict[str, Undisturbed]
) -> None:
    for number, kind in enumerate(KINDS):
        if kind in ("evaluate", "download"):
            kill(clone, number, known)


@pytest.mark.parametrize("kind", ["evaluate", "download"])
def test_a_disk_that_fails_is_a_clear_error(
    clone: Clone, known: dict[str, Undisturbed], kind: str
) -> None:
    job = KINDS[kind]
    middle = len(undisturbed(clone, job, known).steps) // 2
    for fault in FAULTS:
        fail(clone, kind, fault, middle, known)
    completed(clone, job, known[job.name], kind)
    clone.restore(job)


def test_a_training_verifies_what_lies_in_scratch(clone: Clone) -> None:
    job = KINDS["train digits/iic"]
    expected = clone.contents(job)
    clone.remove(job)
    checkpoint = clone.path / paths.RunPaths(SCALE, "digits/iic", 0).scratch / CHECKPOINT
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"not a checkpoint")
    said, _ = clone.run(job)
    assert said.status == 0 and f"{CHECKPOINT}: without a checksum in {SUMS}" in said.text
    assert "the training starts anew" in said.text
    assert clone.contents(job) == expected
    clone.restore(job)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_kills_at_random_steps_of_all_kinds_of_jobs_end_with_the_same_bytes(
    clone: Clone, known: dict[str, Undisturbed]
) -> None:
    """Long: each trial is a job killed and done again."""
    for number in range(FIRST, KILLS):
        kill(clone, number, known)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_fails_at_any_step_is_a_clear_error(
    clone: Clone, known: dict[str, Undisturbed], kind: str
) -> None:
    """Long: each kind of job with each fault at up to `STEPS_TRIED` of its steps."""
    job = KINDS[kind]
    steps = range(1, len(undisturbed(clone, job, known).steps) + 1)
    draw = random.Random(f"{SEED} {kind}")
    for fault in FAULTS:
        for at in sorted(draw.sample(steps, min(STEPS_TRIED, len(steps)))):
            fail(clone, kind, fault, at, known)
    completed(clone, job, known[job.name], kind)
    clone.restore(job)
