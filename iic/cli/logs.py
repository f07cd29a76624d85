"""Each job's log: everything that is logged goes to the terminal and to the rule's log file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from iic.params.errors import IICError


class _LogFile(logging.FileHandler):
    """A log that cannot be written any more, as on a full disk, must not hide the job's own end."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without the line."""

    def close(self) -> None:
        """Close, whatever was left to write."""
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Append what is logged inside the block to `path`, and the error that ends it.

    An error that is not expected is written with its traceback.

    Raises:
        IICError: The log cannot be written.
    """
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise IICError(f"--log {path}: cannot be written: {error.strerror}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    except IICError as error:
        handler.handle(_record(f"error: {error}"))
        raise
    except Exception:
        logging.getLogger("iic").exception("the job failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("iic", logging.ERROR, __file__, 0, text, None, None)
