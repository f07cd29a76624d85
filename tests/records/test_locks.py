"""One holder at a time, also where the file system knows no locks; a dead holder holds nothing."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import Timeout

from iic.records import locks
from tests.conftest import ROOT

WITHOUT = """
import errno, fcntl, os
def lacking(*given):
    raise OSError(errno.ENOSYS, "Function not implemented")
fcntl.flock = lacking
"""
HOLD = """
import sys, time
from pathlib import Path
from iic.records import locks
locks.BEAT, locks.STALE = 0.2, 2.0
with locks.held(Path("lock"), 0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["with locks", "without locks"])
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file system has no locks, as Lustre without ``-o flock``."""

    def lacking(*given: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks, "BEAT", 0.2)
    monkeypatch.setattr(locks, "STALE", 2.0)
    if lacks := request.param == "without locks":
        monkeypatch.setattr(locks.fcntl, "flock", lacking)
    return lacks


def other(folder: Path, without: bool) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT * without + HOLD],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_living_holder_is_named_and_not_overtaken(tmp_path: Path, without: bool) -> None:
    process, told = other(tmp_path, without), list[str]()
    try:
        with pytest.raises(Timeout), locks.held(tmp_path / "lock", 0.1, told.append):
            pytest.fail("two hold it")
        (named,) = told
        assert f"process {process.pid} on host {socket.gethostname()} since 20" in named
    finally:
        process.kill()
        process.wait()


def test_a_dead_holder_is_overtaken(
    tmp_path: Path, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = other(tmp_path, without)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # of a node that is gone nobody can ask whether a process lives
    for file in tmp_path.glob("lock.lease*"):
        file.write_text(file.read_text().replace(socket.gethostname(), "node17"))
    with locks.held(tmp_path / "lock", -1):
        assert f"process {os.getpid()} " in locks.holder(tmp_path / "lock")
    assert locks.holder(tmp_path / "lock") == "unknown"


def test_the_file_of_an_earlier_lock_is_no_lock(tmp_path: Path, without: bool) -> None:
    (tmp_path / "lock").write_text("")
    with locks.held(tmp_path / "lock", 0.1):
        pass
