"""Jobs of one workflow in forks of one process, which has read the large libraries once.

Reading Python's modules takes seconds, more than a small job itself. So where a workflow with many
jobs begins, `start` starts a server. The command line of a job stays ``python -m iic <verb>``: that
process asks the server for a fork of it (`ask`), hands over its arguments, environment and streams,
passes signals on, and ends as the fork ends. If it dies, the fork dies. Where nobody serves, it
does the job itself. A fork has computed nothing, so that all is as in a process of its own.

Standard library only, at the top: `ask` is called before anything else is imported.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

VARIABLE = "IIC_SERVED_AT"
"""Tells the jobs of a workflow where forks are to be had."""
WORTH = 4
"""Jobs from which on a server costs less than it saves."""
MODULES = (
    "iic.cli.app",
    "iic.cli.training",
    "iic.engine.run",
    "iic.evaluate.run",
    "iic.provenance.audit.run",
    "iic.publish.figures.saving",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "pandas",
    "pyarrow.parquet",
    "safetensors.numpy",
    "scipy.optimize",
    "sklearn.cluster",
    "sklearn.metrics",
    "torch",
)
"""What jobs import, and what takes long."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
KILLED = 128 + signal.SIGKILL
_NUMBER = struct.Struct("!i")


def start(jobs: int, scale: str) -> None:
    """Serve the jobs of this process from now on, if there are enough of them.

    The server ends with this process, however that ends.

    Args:
        jobs: Number of the jobs to come.
        scale: Of these jobs.
    """
    # elsewhere the libraries of the system do not stand a fork
    if jobs < WORTH or sys.platform != "linux":
        return
    folder = tempfile.mkdtemp(prefix="iic-")  # nobody else may enter it
    address = os.path.join(folder, "jobs")
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(address)
    except OSError:  # a path that is too long
        listening.close()
        shutil.rmtree(folder)
        return
    listening.listen(128)
    from iic.engine.threads import LIMITS, VARIABLES

    # what is read there must start no threads, which a fork would lack
    kept = {name: value for name, value in os.environ.items() if name not in LIMITS}
    # its other end is open as long as this process lives, and in no other
    lifeline, _ = os.pipe()
    subprocess.Popen(
        [sys.executable, "-m", "iic.cli.served", str(listening.fileno()), scale],
        pass_fds=[listening.fileno()],
        stdin=lifeline,
        env={**kept, **dict.fromkeys(VARIABLES, "1")},
    )
    os.close(lifeline)
    listening.close()
    os.environ[VARIABLE] = address


def ask(address: str) -> int | None:
    """Have this process's command done by a fork of the server.

    Returns:
        Its exit status; None where nobody serves.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            _hand_over(connection)
            process = _read_number(connection)
        except OSError:
            return None
        if process is None:
            return None

        def pass_on(number: int, frame: object) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

        for number in PASSED_ON:
            # nohup: whoever lets a signal be ignored wants the job to go on
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, pass_on)
        status = _read_number(connection)
    return KILLED if status is None else status


def _hand_over(connection: socket.socket) -> None:
    command = {
        "argv": sys.argv,
        "folder": os.getcwd(),
        "environ": dict(os.environ),
        "ignored": [one for one in PASSED_ON if signal.getsignal(one) is signal.SIG_IGN],
    }
    content = json.dumps(command).encode()
    socket.send_fds(connection, [_NUMBER.pack(len(content))], [0, 1, 2])
    connection.sendall(content)


def _read(connection: socket.socket, length: int) -> bytes:
    """`length` bytes, or fewer where the other side has ended."""
    content = b""
    while len(content) < length and (part := connection.recv(length - len(content))):
        content += part
    return content


def _read_number(connection: socket.socket) -> int | None:
    content = _read(connection, _NUMBER.size)
    return _NUMBER.unpack(content)[0] if len(content) == _NUMBER.size else None


def serve(listening: socket.socket, prepare: Callable[[], None]) -> None:
    """Fork for whoever asks, until standard input ends.

    Args:
        listening: Where the processes of the jobs ask.
        prepare: Does what every fork would do.
    """
    for number in PASSED_ON:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    prepare()
    gc.freeze()  # forks share what is never looked at
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        connection, _ = listening.accept()
        with connection:
            if os.fork() == 0:
                listening.close()
                _work(connection)


def read_all(scale: str) -> None:
    """Read libraries, models of settings, and syntax trees of the package.

    What cannot be read is left to the jobs, and so is the reading of params and code: a fork looks
    at both anew, and a syntax tree is taken from here where the text is still the same.
    """
    for module in MODULES:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    with contextlib.suppress(Exception):
        from iic.provenance import fingerprint

        fingerprint.value("audit", scale=scale)
        fingerprint.forget()


def _work(connection: socket.socket) -> None:
    """Do what is asked for, and end this process."""
    status = 1
    try:
        _become(connection)
        with (
            open(1, "w", closefd=False) as out,
            open(2, "w", buffering=1, errors="backslashreplace", closefd=False) as err,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = _status()
            logging.shutdown()
        connection.sendall(_NUMBER.pack(status))
    finally:
        os._exit(status)


def _become(connection: socket.socket) -> None:
    """Take over arguments, environment, folder, streams and signals of the process that asks."""
    os.setpgid(0, 0)  # keys of the terminal reach the process that asks, which passes them on
    head, streams, _, _ = socket.recv_fds(connection, _NUMBER.size, 3)
    head += _read(connection, _NUMBER.size - len(head))
    command: dict[str, Any] = json.loads(_read(connection, _NUMBER.unpack(head)[0]))
    for number in (*PASSED_ON, signal.SIGCHLD):
        if number not in command["ignored"]:
            signal.signal(number, signal.SIG_DFL)
    if signal.SIGINT not in command["ignored"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
        os.close(stream)
    os.environ.clear()
    os.environ.update(command["environ"])
    os.chdir(command["folder"])
    sys.argv[:] = command["argv"]
    sys.modules["__main__"].__package__ = "iic"  # the name of the program in its messages
    connection.sendall(_NUMBER.pack(os.getpid()))
    threading.Thread(target=_die_with, args=[connection], daemon=True).start()


def _die_with(connection: socket.socket) -> None:
    """End at once where the process that asked has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # they are the main thread's
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _status() -> int:
    """Run the command; its exit status, as Python itself gives it."""
    try:
        from iic.cli.app import main

        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        try:
            serve(inherited, partial(read_all, sys.argv[2]))
        finally:
            shutil.rmtree(Path(inherited.getsockname()).parent, ignore_errors=True)
