"""A host that stalls costs its timeouts, not the night: the verb goes on to the next mirror."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cli_helpers import Said, iic, make_clone
from tests.data.faulty_server import FaultyServer
from tests.workflow.workflow_helpers import edit

FILE = "digits.csv.gz"
EMBEDDED = "embedded: {package: sklearn, path: datasets/data/digits.csv.gz}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A port that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose digits come from mirrors alone, and that is less patient than usual."""
    clone = make_clone(tmp_path / "clone")
    edit(clone / "iic/data/sources.py", "read: float = 30.0", "read: float = 0.3")
    edit(clone / "iic/data/sources.py", "backoff: float = 1.0", "backoff: float = 0.01")
    return clone


def download(clone: Path, *mirrors: str) -> tuple[Said, float]:
    edit(clone / "params/datasets.yaml", EMBEDDED, f"mirrors: {list(mirrors)}")
    start = time.monotonic()
    (said,) = iic(clone, ["download", "--dataset", "digits", "--log", "a.log"])
    return said, time.monotonic() - start


def test_the_next_mirror_is_asked(clone: Path, server: FaultyServer, silent: str) -> None:
    import sklearn.datasets

    folder = Path(sklearn.datasets.__path__[0]) / "data"
    server.files[FILE] = (folder / FILE).read_bytes()
    stalling = [server.prefix(one) for one in ("mute", "headers", "stalling")]
    said, _ = download(clone, silent, *stalling, server.prefix("files"))
    assert said.status == 0, said.text
    assert (clone / "data/raw/digits" / FILE).read_bytes() == server.files[FILE]
    log = (clone / "a.log").read_text()
    assert f"{silent}: no answer within 0.3 s" in log
    assert server.log[-1].path == f"/files/{FILE}"


def test_where_every_host_stalls_the_error_says_so(
    clone: Path, server: FaultyServer, silent: str
) -> None:
    said, seconds = download(clone, silent, server.prefix("headers"))
    assert said.status == 1 and "Traceback" not in said.text
    assert f"{silent}: no answer within 0.3 s" in said.text
    assert f"{server.prefix('headers')}: " in said.text
    assert "--config mirror=DIR" in said.text
    # three attempts of a third of a second each, and starting Python on a busy machine
    assert seconds < 60
    left = {path.name for path in (clone / "data/raw").rglob("*")}
    assert not left & {FILE, "files.json", "files.run.json"}
