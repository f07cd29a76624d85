"""Times of a job's inputs: Snakemake deletes what a job wrote where an input is newer."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from iic.params.errors import IICError
from iic.records.paths import RAW

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds by which clocks of a network may be apart, which a job waits for."""


class TimeInFuture(IICError):
    """An input has a time that is still to come."""


def refuse_future_times(paths: Iterable[Path], root: Path, job: str) -> None:
    """Wait for, or refuse, inputs whose time of modification is still to come.

    Asked before a job, since after a training of days is late to notice, and before its receipt: a
    job that fails keeps its checkpoint.

    Args:
        paths: The job's inputs, relative to `root`.
        root: Root of the clone.
        job: The job, for the message.

    Raises:
        TimeInFuture: One is more than `PATIENCE` seconds ahead; names it and the remedy.
    """
    # raw files are no inputs of a rule: their manifest stands for them
    times = {
        path: _modified(root / path)
        for path in paths
        if RAW not in path.parents or path.suffix == ".json"
    }
    now = time.time()
    ahead = [path for path, modified in times.items() if modified > now + PATIENCE]
    if ahead:
        shown = "\n".join(
            f"  {path}: {datetime.fromtimestamp(times[path]):%Y-%m-%d %H:%M:%S}" for path in ahead
        )
        raise TimeInFuture(
            f"{job}: inputs have a time in the future, by this machine's clock "
            f"({datetime.fromtimestamp(now):%Y-%m-%d %H:%M:%S}), and Snakemake would delete what "
            f"the job writes since it is older:\n{shown}\n"
            f"  remedy: look at the clock, then: touch {' '.join(map(str, ahead))}"
        )
    wait = max(times.values(), default=now) - now
    if wait > 0:
        log.info("%s: an input's time is %.0f s ahead of this clock: waiting", job, wait)
        time.sleep(wait)


def _modified(path: Path) -> float:
    """Seconds since the epoch, as Snakemake sees it, which looks at a folder's mark as well."""
    modified = 0.0
    for file in (path, path.parent / ".snakemake_timestamp"):
        # what is missing is another check's business
        with contextlib.suppress(OSError):
            modified = max(modified, file.stat().st_mtime, file.lstat().st_mtime)
    return modified
