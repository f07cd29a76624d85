"""A bar with the time left, for work that goes image by image."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress as Bars

from iic.own.reading import Progress


@contextlib.contextmanager
def bar(title: str, live: bool | None = None) -> Iterator[Progress | None]:
    """A bar with the time left, to be told of what is done; None where none is drawn."""
    if not (sys.stderr.isatty() if live is None else live):
        yield None
        return
    with Bars(console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
