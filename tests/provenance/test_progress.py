"""What a person sees of a running workflow, from the messages that Snakemake sends."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iic.params.runs import load_plan
from iic.provenance import progress
from iic.provenance.progress import Progress, duration, expected_trainings, last_entry

STAMP = "2026-11-30 07:29:20,435 "


class Workflow:
    """Messages as Snakemake sends them, to a display whose clock stands still until told."""

    def __init__(self, expected: Mapping[int, float], folder: Path) -> None:
        self.stream, self.folder, self.now = io.StringIO(), folder, 0.0
        self.display = Progress(lambda: expected, self.stream)

    def send(
        self, event: str | None, text: str = "", level: int = logging.INFO, **more: Any
    ) -> None:
        record = logging.LogRecord("snakemake", level, __file__, 0, text, None, None)
        record.__dict__.update(more, **({} if event is None else {"event": event}))
        self.display.handle(record)

    def begin(self) -> None:
        self.send("run_info", "Job stats: ...")

    def start(self, number: int, said: str = "", **more: Any) -> Path:
        """Start a job, and let it write `said` to its log."""
        log = self.folder / f"{number}.log"
        if said:
            log.write_text(said)
        job = {"rule_name": "train_run", "rule_msg": f"Training {number}.", "benchmark": None}
        self.send("job_info", jobid=number, log=[str(log)], **{**job, **more})
        return log

    def finish(self, number: int) -> None:
        self.send("job_finished", f"Finished jobid: {number}", job_id=number)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    now = {"seconds": 1000.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: now["seconds"])
    return now


def test_a_finished_job_is_one_line_with_what_it_found(
    tmp_path: Path, clock: dict[str, float]
) -> None:
    workflow = Workflow({1: 10, 2: 10, 3: 60}, tmp_path)
    workflow.begin()
    workflow.start(1, f"{STAMP}epoch 1/2\n{STAMP}digits/iic/seed0: accuracy 94.50 % (label-free)\n")
    clock["seconds"] += 20
    workflow.finish(1)
    workflow.send("progress", done=1, total=3)
    # 10 of 80 expected seconds took 20: the other 70 take 140
    assert workflow.lines == [
        "3 jobs, about 80 s of computing",
        "[1 of 3, 2 min left] digits/iic/seed0: accuracy 94.50 % (label-free), 20 s",
    ]


def test_what_runs_counts_for_the_time_left(tmp_path: Path, clock: dict[str, float]) -> None:
    workflow = Workflow({1: 10, 2: 90}, tmp_path)
    workflow.begin()
    workflow.start(2)
    workflow.start(1, f"{STAMP}done\n")
    clock["seconds"] += 10
    workflow.finish(1)
    # two at a time: 20 of 100 expected seconds are over after 10
    assert workflow.lines[-1] == "[1 of 2, 40 s left] done, 10 s"


def test_seconds_are_those_of_the_process_where_snakemake_measured_them(
    tmp_path: Path, clock: dict[str, float]
) -> None:
    """On a cluster a job waits before it runs."""
    workflow = Workflow({1: 10}, tmp_path)
    workflow.begin()
    benchmark = tmp_path / "benchmark.tsv"
    benchmark.write_text("s\th:m:s\n53.71\t0:00:53\n")
    workflow.start(1, f"{STAMP}done\n", benchmark=str(benchmark))
    clock["seconds"] += 5000
    workflow.finish(1)
    assert workflow.lines[-1] == "[1 of 1] done, 54 s"


def test_a_long_job_is_announced_with_its_log(tmp_path: Path, clock: dict[str, float]) -> None:
    workflow = Workflow({1: 9000, 2: 5}, tmp_path)
    workflow.begin()
    log = workflow.start(1)
    workflow.start(2)
    (line,) = workflow.lines[1:]
    assert line == f"[0 of 2] Training 1. May take 2.5 h; its log: {log}"


def test_a_failed_job_is_one_line_with_its_log_and_no_traceback(
    tmp_path: Path, clock: dict[str, float]
) -> None:
    workflow = Workflow({1: 10}, tmp_path)
    workflow.begin()
    log = workflow.start(1, f"{STAMP}error: no space\n  remedy: delete something\n")
    clock["seconds"] += 3
    error = {"rule_name": "train_run", "jobid": 1, "level": logging.ERROR}
    workflow.send(
        "error", "CalledProcessError in ...\n long", logging.ERROR, exception="RuleException"
    )
    workflow.send("job_error", log=[str(log)], **error)
    # the job said itself on this terminal what was wrong
    assert workflow.lines[1:] == [f"[0 of 1] FAILED: Training 1. Its log: {log}"]
    # on another machine it did not
    workflow.start(1)
    workflow.send("job_error", log=[str(log), "slurm.log"], **error)
    assert workflow.lines[2:] == [
        f"[0 of 1] FAILED: Training 1. Its log: {log}, slurm.log",
        "  no space",
    ]


def test_other_messages_are_shown_unless_they_say_nothing(tmp_path: Path) -> None:
    workflow = Workflow({}, tmp_path)
    for text in ("Using shell: /usr/bin/bash", "Select jobs to execute...", "Execute 2 jobs..."):
        workflow.send(None, text)
    workflow.send("shellcmd", "python -m iic train")
    workflow.send("workflow_started", "SNAKEMAKE")
    workflow.send(None, "Complete log(s): x")
    workflow.send(None, "Careful", logging.WARNING)
    workflow.send(None, "Careful", logging.WARNING)
    workflow.send("error", "MissingOutputException in ...", logging.ERROR, exception="Missing")
    assert workflow.lines == ["Complete log(s): x", "Careful", "MissingOutputException in ..."]


def test_a_target_that_gathers_others_is_no_line(tmp_path: Path) -> None:
    workflow = Workflow({1: 5}, tmp_path)
    workflow.begin()
    workflow.send("job_info", jobid=7, log=[], rule_name="all", rule_msg=None, benchmark=None)
    workflow.finish(7)
    assert len(workflow.lines) == 1


def test_a_log_without_entries_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    assert last_entry((tmp_path / "log", tmp_path / "absent")) == ""
    (tmp_path / "log").write_bytes(STAMP.encode() + b"no code \x1b[31m of a terminal \xff\n")
    assert last_entry((tmp_path / "log",)) == "no code  [31m of a terminal \ufffd"


def test_durations_are_for_people() -> None:
    assert [duration(value) for value in (0.4, 34, 99, 300, 9000, 86400, 3 * 86400)] == [
        "0 s", "34 s", "99 s", "5 min", "2.5 h", "24 h", "3.0 days",
    ]  # fmt: skip


def test_trainings_are_expected_to_take_what_status_says() -> None:
    expected = expected_trainings(load_plan("laptop"))
    hours = {key: seconds / 3600 for key, seconds in expected.items()}
    assert ("mnist/iic", 0) in hours and 0.5 < hours["mnist/iic", 0] < 10
