"""Each job's log: everything that is logged goes to the terminal and to the rule's log file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from iic.params.errors import IICError


@contextlib.contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Append what is logged inside the block to `path`, errors with their tracebacks included."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    except IICError as error:
        handler.emit(_record(f"error: {error}"))
        raise
    except Exception:
        logging.getLogger("iic").exception("the job failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("iic", logging.ERROR, __file__, 0, text, None, None)
