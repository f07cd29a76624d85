"""Which trainings of a scale have a result that counts today, and what became of the others.

The workflow's logs say it: a job's log ends with the error that ended the job. A log that ends in
any other way, with no receipt beside it, is that of a job which was killed. Logs are appended to
and outlast the run of the workflow that wrote them, so what they say is given with its date: a
training that was not reached this time shows how it ended the last time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from iic.params.runs import Plan, Run
from iic.provenance.status import ScaleStatus
from iic.records import paths
from iic.records.paths import RunPaths

State = Literal["measured", "failed", "stopped", "not reached"]

RECORD = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d,\d{3} ", re.MULTILINE)
"""How a record begins in a log of `iic.cli.logs`; its time to the minute."""
ERROR = "error: "
TRACEBACK = "Traceback (most recent call last)"
TAIL = 1 << 16
"""Bytes of a log's end that are read."""
LONGEST = 240
"""Characters of a message that are shown."""


@dataclass(frozen=True)
class Standing:
    """What there is of one training."""

    run: str
    seed: int
    state: State
    reason: str = ""
    """Why there is no result; of a training that was not reached it may be empty."""

    @property
    def note(self) -> str:
        """One line, e.g. ``failed: digits/iic seed 0: ...``."""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.state}: {self.run} seed {self.seed}{reason}"


@dataclass(frozen=True)
class LogEnd:
    """How a log ends."""

    path: Path
    failed: bool
    text: str
    """The error's first line, or the last line that there is; empty for an empty log."""
    at: str
    """When, to the minute and in local time as in the log itself: 2026-11-28 10:02."""

    @property
    def seen(self) -> str:
        """The message, when it was written and where it stands."""
        if not self.text:
            return f"see {self.path}, which is empty since {self.at}"
        said = self.text if self.failed else f"its last line was {self.text!r}"
        return f"{said} ({self.at}, see {self.path})"


def standings(
    plan: Plan, look: ScaleStatus, root: Path = Path()
) -> dict[tuple[str, int], Standing]:
    """Every training of a scale, by run and seed.

    Args:
        plan: The scale's plan.
        look: Which of its trainings are done.
        root: Root of the clone.
    """
    states = {(training.run, training.seed): training.state for training in look.trainings}
    standing: dict[tuple[str, int], Standing] = {}
    # what starts from another run's weights comes after it
    for run in sorted(plan.runs.values(), key=lambda run: run.settings.base is not None):
        for seed in run.seeds:
            if states[run.id, seed] == "done":
                standing[run.id, seed] = Standing(run.id, seed, "measured")
            elif states[run.id, seed] == "stale":
                reason = f"what lies there is out of date: iic why {run.id} --scale {run.scale}"
                standing[run.id, seed] = Standing(run.id, seed, "not reached", reason)
            else:
                standing[run.id, seed] = _missing(plan, run, seed, standing, root)
    return standing


def _missing(
    plan: Plan,
    run: Run,
    seed: int,
    standing: Mapping[tuple[str, int], Standing],
    root: Path,
) -> Standing:
    if (end := end_of(RunPaths(run.scale, run.id, seed).log, root)) is not None:
        return Standing(run.id, seed, "failed" if end.failed else "stopped", end.seen)
    reason = ""
    if not (root / paths.prepared_manifest(run.dataset)).exists():
        for rule in ("download", "prepare"):
            end = end_of(paths.data_log(rule, run.dataset), root)
            if end is not None and end.failed:
                reason = f"{rule} {run.dataset} failed: {end.seen}"
    base = plan.base_of(run)
    if base is not None and (above := standing.get((base.id, seed))) is not None:
        if above.state != "measured":
            reason = f"it starts from {base.id} seed {seed}, which has no result"
    return Standing(run.id, seed, "not reached", reason)


def end_of(log: Path, root: Path = Path()) -> LogEnd | None:
    """How the log at `log`, relative to `root`, ends; None where there is none."""
    try:
        with (root / log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            text = file.read().decode(errors="replace")
            changed = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    # the times of the records stand between them
    *_, at, record = ("", f"{datetime.fromtimestamp(changed):%Y-%m-%d %H:%M}", *RECORD.split(text))
    lines = [line.strip() for line in record.splitlines() if line.strip()]
    if not lines:
        return LogEnd(log, False, "", at)
    if record.startswith(ERROR):
        return LogEnd(log, True, _shown(lines[0].removeprefix(ERROR)), at)
    return LogEnd(log, TRACEBACK in record, _shown(lines[-1]), at)


def _shown(line: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in line)
    return printable if len(printable) <= LONGEST else printable[: LONGEST - 3] + "..."
