"""Signals to end turned into a question that the training loop asks between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class InterruptFlag:
    """Inside the ``with`` block, a signal sets `name` instead of ending the process."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
    """SIGHUP comes when a terminal closes or a connection breaks off."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        # only the main thread may set handlers; elsewhere a run cannot be interrupted this way
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                # nohup: whoever lets a signal be ignored wants the run to go on
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
