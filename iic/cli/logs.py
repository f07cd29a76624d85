"""Each job's log: everything that is logged goes to the terminal and to the rule's log file."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

from iic.params.errors import IICError
from iic.params.escaping import visible


class JobFailed(IICError):
    """A job ended by an error that nobody expected; its traceback stands in the log."""


class VisibleFormatter(logging.Formatter):
    """Shows control characters of a message, which may quote anything, in place of obeying them."""

    def format(self, record: logging.LogRecord) -> str:
        """The message with escapes."""
        return visible(super().format(record))


class _LogFile(logging.FileHandler):
    """A log that cannot be written any more, as on a full disk, must not hide the job's own end."""

    cut = False
    """Whether a line could not be written."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without the line."""
        self.cut = True

    def close(self) -> None:
        """Close, whatever was left to write."""
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Append what is logged inside the block to `path`, and the error that ends it.

    The terminal, which jobs of a workflow share, shows warnings alone until the block ends. The
    last entry is what a job found, or why it failed: `iic.provenance.progress` shows it. An error
    that is not expected is written with its traceback, which then is shown nowhere else.

    Raises:
        IICError: The log cannot be written.
        JobFailed: In place of an error that is not expected.
    """
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise IICError(f"--log {path}: cannot be written: {error.strerror}") from error
    handler.setFormatter(VisibleFormatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    terminals = [other for other in root.handlers if type(other) is logging.StreamHandler]
    levels = [terminal.level for terminal in terminals]
    for terminal in terminals:
        terminal.setLevel(logging.WARNING)
    root.addHandler(handler)
    try:
        yield
    except IICError as error:
        handler.handle(_record(f"error: {error}"))
        raise
    except Exception as error:
        handler.handle(_record("the job failed", error))
        if handler.cut:
            raise
        said = "".join(traceback.format_exception_only(error)).strip()
        raise JobFailed(f"{said}\n  its traceback: {path}") from error
    finally:
        root.removeHandler(handler)
        handler.close()
        for terminal, level in zip(terminals, levels, strict=True):
            terminal.setLevel(level)


def _record(text: str, error: Exception | None = None) -> logging.LogRecord:
    trace = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("iic", logging.ERROR, __file__, 0, text, None, trace)
