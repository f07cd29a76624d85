"""Locks between processes, also where the file system has none.

Where it has locks, the system gives one back when its holder ends, however that is. Elsewhere
(Lustre without ``-o flock``, NFS without its lock service) a lock is a file whose holder touches
it every few seconds: one that nobody has touched for a while was left by a dead process, and is
taken over. Beside each lock lies a note of who holds it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

log = logging.getLogger(__name__)

BEAT = 5.0
"""Seconds between two touches, where the file system has no locks."""
STALE = 60.0
"""Seconds without a touch after which such a lock is taken over."""
LACKING = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})


@contextlib.contextmanager
def held(
    path: Path, patience: float, told: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Hold the lock `path` during the block.

    Args:
        path: The lock's file, which stays; its folder exists.
        patience: Seconds to wait for another holder; negative: until that one ends. Where the file
            system has no locks, at least as long as it takes to see that a holder is dead.
        told: Called with who holds the lock, if it has to be waited for; else that is logged.

    Raises:
        Timeout: Another process holds it, and has not ended in time.
        OSError: The folder cannot be written to.
    """
    lock, own = _lock(path), _self()
    if not isinstance(lock, FileLock) and patience >= 0:
        patience = max(patience, 2 * STALE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        (told or _tell)(holder(path))
        lock.acquire(timeout=patience)
    try:
        # after an abrupt end it stays behind, and says nothing once the lock is free
        note_of(path).write_text(own, encoding="utf-8")
        yield
    finally:
        # a disk that has turned read-only keeps the note, and hides no error of the block
        with contextlib.suppress(OSError):
            if holder(path) == own:
                note_of(path).unlink(missing_ok=True)
        lock.release()


def holder(path: Path) -> str:
    """Who holds the lock, as far as is known: ``process 12 on host a since ...``."""
    try:
        return note_of(path).read_text(encoding="utf-8", errors="replace").strip() or "unknown"
    except OSError:
        return "unknown"


def _tell(other: str) -> None:
    log.info("a lock is held by %s: waiting", other)


def _self() -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} on host {socket.gethostname()} since {now}"


def note_of(path: Path) -> Path:
    """Where a lock's holder is noted."""
    # not in the lock's own file, which whoever tries to lock it may empty
    return path.with_name(path.name + ".holder")


def _lock(path: Path) -> BaseFileLock:
    if _knows_locks(path):
        return FileLock(path)
    # of versions since 3.30 alone, and needed on few machines
    from filelock import SoftFileLease

    return SoftFileLease(
        path.with_name(path.name + ".lease"),
        lease_duration=STALE,
        heartbeat_interval=BEAT,
        on_compromise=_stop,
    )


def _knows_locks(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in LACKING:
            return False
        raise
    finally:
        os.close(descriptor)
    return True


def _stop(reason: object) -> None:
    """End as a batch system would end it: the lock is another's, which took this one for dead."""
    log.error("a lock was taken over by another process (%s): this one ends", reason)
    os.kill(os.getpid(), signal.SIGTERM)
