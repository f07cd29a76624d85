"""How far the workflow is: one line for each finished job, in place of Snakemake's own lines.

A line says how many jobs are done, how long the rest may take, and what the job found: the last
line of its log. Snakemake's own messages stay whole in ``.snakemake/log/``.
"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from iic.params.runs import Plan
from iic.provenance.status import status
from iic.provenance.unfinished import end_of

START = 1.0
"""Seconds that a small job takes, where many of them are served by one process."""
LONG = 600.0
"""Seconds from which on a job is worth a line when it begins."""
CHATTER = (
    "Building DAG of jobs",
    "Using shell:",
    "Select jobs to execute",
    "Execute ",
)
"""How messages begin that say nothing of the results, or what another line says."""
SHOWN_EVENTS = ("None", "error", "group_error")
"""Events of which Snakemake's own text is shown; plain messages have none."""


class Message(logging.LogRecord):
    """What Snakemake says of a job; which of these there are depends on the event."""

    jobid: int
    job_id: int
    rule_name: str
    rule_msg: str | None
    log: list[str]
    benchmark: str | None


@dataclass(frozen=True)
class Started:
    """A job that has begun."""

    name: str
    logs: tuple[Path, ...]
    benchmark: Path | None
    moment: float

    def seconds(self) -> float:
        """Time of its process where Snakemake measured it, else since it was handed on."""
        measured = None if self.benchmark is None else measured_seconds(self.benchmark)
        return time.monotonic() - self.moment if measured is None else measured


class Progress(logging.Handler):
    """Shows a running workflow.

    Args:
        expected: Seconds that each job of this run may take, by its number; asked once, when
            Snakemake knows its jobs.
        stream: Where the lines go: escape codes only where it is a terminal.
        colour: Whether a terminal gets colours.
    """

    def __init__(
        self, expected: Callable[[], Mapping[int, float]], stream: TextIO, *, colour: bool = True
    ) -> None:
        from iic.provenance.terminal import Terminal

        super().__init__()
        self._console = Terminal(
            file=stream, soft_wrap=True, highlight=False, no_color=None if colour else True
        )
        self._ask = expected
        self._expected: dict[int, float] = {}
        self._left: dict[int, float] = {}
        self._started: dict[int, Started] = {}
        self._begin = time.monotonic()
        self._shown = ""
        self._events = {
            "run_info": self._run_info,
            "job_info": self._job_info,
            "job_finished": self._job_finished,
            "job_error": self._job_error,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a message of Snakemake's stands for, if anything."""
        try:
            event = str(getattr(record, "event", None))
            if show := self._events.get(event):
                show(cast(Message, record))
            elif event in SHOWN_EVENTS and not self._is_chatter(record):
                self._print(record.getMessage(), "yellow" if record.levelno > logging.INFO else "")
        except Exception:
            self.handleError(record)

    @staticmethod
    def _is_chatter(record: logging.LogRecord) -> bool:
        if record.levelno < logging.INFO or not record.msg:
            return True
        if record.levelno == logging.INFO:
            return record.getMessage().startswith(CHATTER)
        # that the job's command failed is what the line of the job says
        return getattr(record, "exception", None) in ("RuleException", "CalledProcessError")

    def _run_info(self, record: Message) -> None:
        self._expected = dict(self._ask())
        self._left = dict(self._expected)
        self._begin = time.monotonic()
        seconds = sum(self._expected.values())
        self._print(f"{len(self._expected)} jobs, about {duration(seconds)} of computing")

    def _job_info(self, record: Message) -> None:
        started = Started(
            name=record.rule_msg or record.rule_name,
            logs=tuple(map(Path, record.log)),
            benchmark=None if record.benchmark is None else Path(record.benchmark),
            moment=time.monotonic(),
        )
        self._started[record.jobid] = started
        if (expected := self._expected.get(record.jobid, 0.0)) >= LONG:
            self._print(
                f"{self._share()} {started.name} May take {duration(expected)}; "
                f"its log: {', '.join(map(str, started.logs))}"
            )

    def _job_finished(self, record: Message) -> None:
        number = record.job_id
        self._left.pop(number, None)
        started = self._started.pop(number, None)
        # targets that only gather other jobs have neither command nor log
        if started is not None and started.logs:
            finding = last_entry(started.logs) or started.name
            self._print(f"{self._share()} {finding}, {duration(started.seconds())}")

    def _job_error(self, record: Message) -> None:
        started = self._started.pop(record.jobid, None)
        name = record.rule_name if started is None else started.name
        own = () if started is None else started.logs
        logs = ", ".join(record.log)
        self._print(f"{self._share()} FAILED: {name} Its log: {logs}", "bold red")
        # what another machine wrote to its terminal
        if len(record.log) > len(own) and (error := last_entry(own)):
            self._print(f"  {error}", "red")

    def _share(self) -> str:
        total = len(self._expected)
        done = total - len(self._left)
        left = self._seconds_left()
        time_left = "" if left is None else f", {duration(left)} left"
        return f"[{done} of {total}{time_left}]"

    def _seconds_left(self) -> float | None:
        """The estimate for what is left, at the rate at which estimates were worked off so far."""
        left = sum(self._left.values())
        done = sum(self._expected.values()) - left
        if not left or not done:
            return None
        # what runs now counts as done for the time that it has run
        now = time.monotonic()
        for number, started in self._started.items():
            running = min(now - started.moment, self._left.get(number, 0.0))
            done, left = done + running, left - running
        return left * (now - self._begin) / done

    def _print(self, text: str, style: str = "") -> None:
        from rich.text import Text

        # that it waits for the jobs to end Snakemake says each second
        if text == self._shown:
            return
        self._shown = text
        self._console.print(Text(text, style=style))


def expected_trainings(plan: Plan, root: Path = Path()) -> dict[tuple[str, int], float]:
    """Seconds that each training of a scale may take: its hours by `iic status`, on its threads.

    Args:
        plan: The scale's plan.
        root: Root of the clone.

    Returns:
        Seconds by run and seed; those that nobody can estimate are left out.
    """
    return {
        (training.run, training.seed): 3600
        * (training.hours.gpu + training.hours.core / plan.run(training.run).settings.threads)
        for training in status(plan, root).trainings
        if training.hours is not None
    }


def measured_seconds(benchmark: Path) -> float | None:
    """What Snakemake measured when a job last ran; None where it has not run here.

    Args:
        benchmark: The rule's file, with a column ``s``.
    """
    try:
        with benchmark.open(encoding="utf-8", newline="") as file:
            return float([*csv.DictReader(file, delimiter="\t")][-1]["s"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def last_entry(logs: tuple[Path, ...]) -> str:
    """One line of the last entry of the last log that has any; empty if there is none."""
    ends = (end_of(path) for path in reversed(logs))
    return next((end.text for end in ends if end is not None and end.text), "")


def duration(seconds: float) -> str:
    """A time for a person, e.g. ``34 s``, ``5 min``, ``2.5 h``, ``3.1 days``."""
    for unit, size, until in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if seconds / size < until:
            value = seconds / size
            return f"{value:.0f} {unit}" if unit != "h" or value >= 10 else f"{value:.1f} {unit}"
    return f"{seconds / 86400:.1f} days"
