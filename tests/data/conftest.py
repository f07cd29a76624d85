from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.data.faulty_server import FaultyServer, handler_of


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is part of the tests."""


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    faulty = FaultyServer("")
    listening = _Quiet(("127.0.0.1", 0), handler_of(faulty))
    faulty.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield faulty
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount small disks, or skip the test where that is not permitted.

    ``disk("1m", read_only=path)`` makes the folder `path` on it and then locks the disk:
    permissions would not do, since tests may run as root.
    """
    with ExitStack() as mounted:

        def mount(size: str, read_only: str | None = None) -> Path:
            folder = tmp_path / f"disk_{size}"
            folder.mkdir()
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                pytest.skip(f"mounting a small disk is not permitted: {done.stderr.strip()}")
            mounted.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            if read_only is not None:
                (folder / read_only).mkdir(parents=True)
                subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            return folder

        yield mount
