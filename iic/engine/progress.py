"""Progress of a run: a live bar on a terminal, one line an epoch in logs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeAlias

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

Watcher: TypeAlias = Callable[[str, dict[str, Any]], None]
WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
"""Told of each epoch besides: the run's name, and the epoch's line of the history."""


class RunProgress:
    """Shows how far a run is.

    Args:
        name: The run, e.g. ``digits/iic seed 0``.
        steps: Optimiser steps of the whole run.
        done: Steps done before this process.
        live: Whether to draw a bar; None draws one where stderr is a terminal.
    """

    def __init__(self, name: str, steps: int, done: int = 0, live: bool | None = None) -> None:
        self._name = name
        live = sys.stderr.isatty() if live is None else live
        self._bar = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            if live
            else None
        )
        if self._bar is not None:
            self._task = self._bar.add_task(name, total=steps, completed=done, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
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

    def step(self) -> None:
        """One optimiser step is done."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def epoch(self, entry: dict[str, Any], epochs: int) -> None:
        """An epoch is done; `entry` is its line of the history."""
        watcher = WATCHER.get()
        if watcher is not None:
            watcher(self._name, entry)
        parts = [f"epoch {entry['epoch']}/{epochs}"]
        if entry["loss"]:
            parts.append("loss " + " ".join(f"{value:.4f}" for value in entry["loss"]))
            if entry.get("chance") is not None:
                parts[-1] += f" (chance {entry['chance']:.4f})"
        if entry["accuracy"]:
            mean = sum(entry["accuracy"]) / len(entry["accuracy"])
            parts.append(f"accuracy best {max(entry['accuracy']):.1f} mean {mean:.1f} %")
        if entry["pairs_per_second"]:
            parts.append(f"{entry['pairs_per_second']:.0f} pairs/s")
        if self._bar is not None:
            self._bar.update(self._task, note=parts[0] + "  " + "  ".join(parts[1:3]))
        else:
            log.info("%s: %s", self._name, "  ".join(parts))
