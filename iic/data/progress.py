"""Progress of a preparation: a live bar on a terminal, a line every so often in logs."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

log = logging.getLogger(__name__)

LOGGED_EVERY = 15.0
"""Seconds between two lines of a log."""


class PreparationProgress:
    """Shows how many images are done; an instance is what `prepare_maps` calls.

    Args:
        name: The dataset.
        live: Whether to draw a bar; None draws one where stderr is a terminal.
    """

    def __init__(self, name: str, live: bool | None = None) -> None:
        self._name = name
        live = sys.stderr.isatty() if live is None else live
        self._bar = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            if live
            else None
        )
        self._first: tuple[float, int] | None = None
        self._logged = 0.0

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._task = self._bar.add_task(self._name, total=None)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` images are prepared."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if self._first is None:
            self._first, self._logged = (now, done), now
        elif done == total or now - self._logged >= LOGGED_EVERY:
            self._logged = now
            begun, before = self._first
            rate = (done - before) / max(now - begun, 1e-9)
            log.info(
                "%s: %s of %s images, %.0f a second", self._name, f"{done:,}", f"{total:,}", rate
            )
