"""Commands done by forks of a server: as in processes of their own, whatever ends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from iic.cli import served
from tests.cli.cli_helpers import ROOT, environment
from tests.workflow.workflow_helpers import edit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are Linux's alone")

STARTS = """
import os, sys
from iic.cli import served
served.start(served.WORTH, "smoke")
print(os.environ[served.VARIABLE], flush=True)
sys.stdin.read()
"""
# a server whose forks say who they are, and wait
SERVES = """
import os, signal, socket, sys, time, types
from iic.cli import served

def main():
    def note(number, frame):
        os.write(1, f"noted {signal.Signals(number).name}\\n".encode())
        sys.exit(3)
    for number in served.PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    os.write(1, f"{os.getpid()}\\n".encode())
    while True:
        time.sleep(0.01)

sys.modules["iic.cli.app"] = types.SimpleNamespace(main=main)
served.serve(socket.socket(fileno=int(sys.argv[1])), lambda: None)
"""


def started(clone: Path) -> subprocess.Popen[str]:
    """What a workflow is to its jobs: a process that has started a server."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTS],
        cwd=clone,
        env=environment(clone),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def address(prepared: Path) -> Iterator[str]:
    """Where the verbs are served."""
    starter = started(prepared)
    yield line_of(starter)
    starter.communicate()


def asking(
    folder: Path, address: str, *words: str, package: Path = ROOT, **more: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "iic", *words],
        cwd=folder,
        env=environment(package, IIC_TRACEBACK="1", **{served.VARIABLE: address}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--scale", "smoke"),
        ("evaluate", "--scale", "smoke"),
        ("no_such_verb",),
        ("--help",),
    ],
)
def test_streams_and_status_are_those_of_a_process_of_its_own(
    prepared: Path, address: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Outside of a clone as well: the error names the folder, a variable shows the traceback."""
    for folder in (prepared, tmp_path):
        alone, forked = (
            asking(folder, at, *words, package=prepared) for at in ("nowhere", address)
        )
        said = alone.communicate()
        assert any(said)
        ours = forked.communicate()
        assert ours[0] == said[0] and ours[1].splitlines()[-3:] == said[1].splitlines()[-3:]
        assert forked.returncode == alone.returncode


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[str]:
    """Address of a server whose forks wait."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address := str(tmp_path / "jobs"))
        listening.listen()
        process = subprocess.Popen(
            [sys.executable, "-c", SERVES, str(listening.fileno())],
            cwd=ROOT,
            env=environment(ROOT),
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
        )
        listening.close()  # else who asks would wait for a server that has ended
        yield address
    process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)


def begun(address: str, **more: Any) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A process that has asked for a fork, and the fork."""
    asks = asking(ROOT, address, "train", **more)
    assert asks.stdout is not None
    fork = psutil.Process(int(asks.stdout.readline()))
    while not catches(asks, signal.SIGTERM):
        time.sleep(0.01)
    return asks, fork


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether a process has a handler of a signal."""
    state = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in state.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def gone(process: psutil.Process) -> bool:
    psutil.wait_procs([process], timeout=60)
    return not process.is_running()


@pytest.mark.parametrize("number", served.PASSED_ON)
def test_a_fork_gets_the_signals_of_who_asked(waiting: str, number: signal.Signals) -> None:
    asks, fork = begun(waiting)
    asks.send_signal(number)
    assert asks.communicate() == (f"noted {number.name}\n", "")
    assert asks.returncode == 3 and gone(fork)


def test_a_fork_ignores_what_who_asked_ignores(waiting: str) -> None:
    """Under nohup a training goes on when the terminal closes."""
    asks, fork = begun(waiting, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    asks.send_signal(signal.SIGHUP)
    fork.send_signal(signal.SIGHUP)
    asks.send_signal(signal.SIGTERM)
    said = asks.communicate()
    assert (*said, asks.returncode) == ("noted SIGTERM\n", "", 3) and gone(fork)


def test_a_fork_dies_with_who_asked(waiting: str) -> None:
    asks, fork = begun(waiting)
    asks.kill()
    assert gone(fork)


def test_a_fork_that_is_killed_is_a_failure(waiting: str) -> None:
    asks, fork = begun(waiting)
    fork.kill()
    assert asks.wait() == 128 + signal.SIGKILL


def test_keys_of_the_terminal_reach_a_fork_once(waiting: str) -> None:
    """Its group is not that of who asked."""
    asks, fork = begun(waiting)
    assert os.getpgid(fork.pid) == fork.pid != os.getpgid(asks.pid)
    asks.kill()


def test_a_fork_outlives_its_server(waiting: str) -> None:
    """As a job outlives a Snakemake that is killed. Whoever asks now works alone."""
    asks, fork = begun(waiting)
    server = fork.parent()
    assert server is not None
    server.kill()
    asks.terminate()
    assert asks.communicate()[0] == "noted SIGTERM\n"
    assert "Usage" in asking(ROOT, waiting, "--help").communicate()[0]


def test_the_server_ends_with_who_started_it(prepared: Path) -> None:
    starter = started(prepared)
    address = line_of(starter)
    (server,) = psutil.Process(starter.pid).children()
    starter.kill()
    assert gone(server)
    starter.communicate()
    assert not Path(address).parent.exists()


def test_few_jobs_start_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(served.VARIABLE, raising=False)
    served.start(served.WORTH - 1, "smoke")
    assert served.VARIABLE not in os.environ


def test_a_fork_looks_at_settings_and_code_anew(clone: Path) -> None:
    """What has changed since the workflow was planned is refused, as by a process of its own."""
    starter = started(clone)
    address = line_of(starter)
    words = ("train", "--scale", "smoke", "--run", "digits/kmeans", "--fingerprint", "planned")

    def refused(address: str) -> str:
        said = asking(clone, address, *words, package=clone).communicate()[1].splitlines()[-1]
        assert "changed after the workflow was planned" in said
        return said

    first = refused(address)
    for path, old, new in (
        ("params/scales/smoke.yaml", "restarts: 1}", "restarts: 2}"),
        (
            "iic/methods/kmeans.py",
            "settings = context.settings",
            "settings = (context.settings)[0]",
        ),
    ):
        edit(clone / path, old, new)
        assert refused(address) == refused("nowhere") != first
        edit(clone / path, new, old)
        assert refused(address) == first
    starter.communicate()
