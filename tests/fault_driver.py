"""Verbs, each in a fork of this process, with a fault at a step that is counted, not timed.

Started in a clone, as ``python fault_driver.py SCALE``; reads a line of JSON for each verb, and
answers by one. A step is whatever changes a file of the clone: opening it to write, `fsync`, a new
name, removal. ``null`` as fault counts the steps.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
CLONE = Path.cwd()
NEVER_FULL = {"os.remove", "os.rmdir", "os.rename"}
"""What a full disk still does."""


class Fault:
    """What goes wrong: ``kill``, ``SIGTERM``, ``short write``, or an error such as ``EIO``."""

    def __init__(self, kind: str | None, at: int) -> None:
        self.kind, self.at = kind, at
        self.steps: list[str] = []
        self.busy = False

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at each event of Python, and make steps of those that change a file."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event in CHANGES:
            path = arguments[1] if event == "os.rename" else arguments[0]
        else:
            return
        self.step(event, path)

    def fsync(self, descriptor: int) -> None:
        """In place of `os.fsync`, which is no event."""
        self.step("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
        FSYNC(descriptor)

    def step(self, event: str, path: Any) -> None:
        """Count, and fail where it is time."""
        if self.busy:
            return
        self.busy = True  # what follows opens files itself
        try:
            place = Path(os.path.abspath(os.fsdecode(path)))
            if not place.is_relative_to(CLONE):
                return
            self.steps.append(f"{event} {place.relative_to(CLONE)}")
            self.fail(event, str(place.relative_to(CLONE)))
        finally:
            self.busy = False

    def fail(self, event: str, path: str) -> None:
        """Do what the fault says; a broken disk stays broken, a signal comes once."""
        now = len(self.steps)
        if self.kind is None or now < self.at:
            return
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.kind == "SIGTERM":
            if now == self.at:
                signal.raise_signal(signal.SIGTERM)
        elif self.kind == "short write":
            # the system cuts every later write, as on a disk that gets full
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        elif not (self.kind in ("ENOSPC", "EDQUOT") and event in NEVER_FULL):
            number = getattr(errno, self.kind)
            raise OSError(number, os.strerror(number), path)


FSYNC = os.fsync


def child(words: list[str], fault: Fault, said: int) -> int:
    """Run a verb; its exit status, 70 after an error that nobody caught."""
    from iic.cli.app import main

    os.dup2(said, 1)
    os.dup2(said, 2)
    # of other kinds of files than before
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
    sys.argv = ["iic", *words]
    os.fsync = fault.fsync
    sys.addaudithook(fault.audit)
    try:
        main()
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 70


def run(words: list[str], kind: str | None, at: int) -> dict[str, Any]:
    """Fork, wait, and say how it ended."""
    # pipes, which no limit of files cuts, and as large as what is said there
    said, steps = os.pipe(), os.pipe()
    for _, end in (said, steps):
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 1 << 20)
    if (process := os.fork()) == 0:
        fault = Fault(kind, at)
        status = child(words, fault, said[1])
        fault.busy = True
        sys.stdout.flush(), sys.stderr.flush()
        os.write(steps[1], json.dumps(fault.steps).encode())
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    texts = []
    for own, others in (said, steps):
        os.close(others)
        with os.fdopen(own, "rb") as read:
            texts.append(read.read().decode(errors="replace"))
    return {"status": status, "said": texts[0], "steps": json.loads(texts[1] or "[]")}


if __name__ == "__main__":
    from iic.cli.served import VARIABLE, read_all

    # an audit by hand would start a Python of its own, where nobody counts
    os.environ[VARIABLE] = "as a job of a workflow"
    read_all(sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), flush=True)
