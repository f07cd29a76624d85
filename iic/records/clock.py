"""Times for records: durations stay right where the system's clock is set while a job runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The time of day at its making, and what has passed since by a clock that nobody sets."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """What has passed since `start`."""
        return time.monotonic() - self._began

    @property
    def now(self) -> datetime:
        """`start` and what has passed since: never before an earlier answer."""
        return self.start + timedelta(seconds=self.seconds)
