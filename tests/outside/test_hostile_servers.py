"""Whatever a mirror answers: its failure, told in a line, and the next mirror is asked."""

from __future__ import annotations

import logging
import os
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from iic.data.answers import Session
from iic.data.download import download
from iic.data.errors import DownloadError
from iic.data.files import SourceFailure
from iic.data.sources import Patience
from iic.params.datasets import Dataset
from tests.data.conftest import server  # noqa: F401 (a fixture)
from tests.data.faulty_server import CONTENT, FaultyServer, dataset, file_entry

HASTE = Patience(connect=5, read=10, attempts=1, backoff=0.01, redirects=3)
KNOWN = file_entry("blob.bin", CONTENT)
UNKNOWN = {"name": "blob.bin", "unverified": "nobody publishes it", "at_most": 1_000_000}


def answer(*lines: str, status: str = "200 OK", body: bytes = b"x") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def to(place: str, status: str = "302 Found") -> bytes:
    return answer(
        f"Location: {place}", "Content-Length: 0", "Connection: close", status=status, body=b""
    )


LENGTH = f"Content-Length: {len(CONTENT)}"
ANSWERS: dict[str, tuple[bytes, str]] = {
    "a length of no digits": (answer("Content-Length: ²"), "announces no size"),
    "a length of 5,000 digits": (answer("Content-Length: " + "9" * 5000), "announces no size"),
    "a length below zero": (answer("Content-Length: -5"), "announces no size"),
    "two lengths": (answer("Content-Length: 5", "Content-Length: 6"), "multiple unmatching values"),
    "10^15 bytes": (
        answer("Content-Length: 1000000000000000"),
        "1,000,000,000,000,000 bytes, more than the 1,000,000 that it may have",
    ),
    "no length": (answer("Connection: close"), "announces no size"),
    "sent on to no address": (to("http://[::1"), r"sends one on to http://\[::1|Invalid IPv6"),
    "sent on to a file": (to("file:///etc/passwd"), "file:///etc/passwd, which is no web server"),
    "sent on to ftp": (to("ftp://a/b"), "ftp://a/b, which is no web server"),
    "sent on to nowhere": (to(""), "HTTP 302|redirect"),
    "sent on to itself": (to("blob.bin"), "3 redirects"),
    "sent on to a port of letters": (to("http://a:b/"), "Port could not be cast"),
    "sent on to escapes": (to("x\x1b[2J:y"), "Exceeded 3 redirects"),
    "sent on to a long address": (to("http://" + "a" * 60_000), "label|long|reached|parse"),
    "escapes as its reason": (
        answer("Content-Length: 0", status="404 \x1b]0;owned\x07", body=b""),
        r"HTTP 404 \\u001b\]0;owned\\u0007",
    ),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "cannot be reached"),
    "a status of letters": (answer(status="OK OK"), "cannot be reached"),
    "a status of 5,000 digits": (answer(status="9" * 5000), "cannot be reached|HTTP 999"),
    "nothing": (b"", "cannot be reached"),
    "a header of 100 KB": (answer("X: " + "x" * 100_000), "cannot be reached"),
    "1,000 headers": (answer(*["X: x"] * 1000), "cannot be reached"),
    "headers without end": (answer(*["X: x"] * 10)[:-5], "reached|no answer|announces"),
    "no content": (answer(status="204 No Content", body=b""), "HTTP 204"),
    "a part unasked for": (
        answer("Content-Range: bytes 0-1/2", LENGTH, status="206 Partial Content"),
        "HTTP 206",
    ),
    "a title with escapes": (
        answer(LENGTH, body=b"<html><title>\x1b[2J</title>".ljust(len(CONTENT))),
        r"an HTML page \('\\+u001b\[2J'\)",
    ),
    "chunks of no size": (
        answer("Transfer-Encoding: chunked", body=b"zz\r\nx\r\n"),
        "announces no size|broke off",
    ),
    "chunks of 10^18 bytes": (
        answer("Transfer-Encoding: chunked", body=b"f" * 16 + b"\r\nx"),
        "announces no size|broke",
    ),
    "a length that is not kept": (answer(LENGTH, body=b"x"), "broke off|ended early"),
}


@pytest.fixture(scope="module")
def rude() -> Iterator[str]:
    """Address of a server that answers /<number>/... by that answer, byte for byte."""
    answers = [content for content, _ in ANSWERS.values()]

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline(1000).split()
            while self.rfile.readline(1000).strip():
                pass
            if len(words) > 1 and words[1].split(b"/")[1].isdigit():
                self.wfile.write(answers[int(words[1].split(b"/")[1])])

    class Quiet(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up early is part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IIC_MIRROR", raising=False)


def number(name: str) -> int:
    return list(ANSWERS).index(name)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_next_mirror_is_asked(
    tmp_path: Path,
    rude: str,
    server: FaultyServer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    for file in (UNKNOWN, KNOWN):
        mirrors = [f"{rude}/{number(name)}/", server.prefix("good")]
        root = tmp_path / str(file is KNOWN)
        with caplog.at_level(logging.WARNING):
            download(dataset(mirrors, files=(file,)), "blob", root, patience=HASTE)
        assert (root / "data/raw/blob/blob.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ANSWERS)
def test_the_failure_is_told_in_a_line(tmp_path: Path, rude: str, name: str) -> None:
    mirror = f"{rude}/{number(name)}/"
    with pytest.raises(DownloadError) as caught:
        download(dataset([mirror], files=(UNKNOWN,)), "blob", tmp_path, patience=HASTE)
    (line,) = [line for line in str(caught.value).splitlines() if line.startswith(f"  {mirror}: ")]
    assert re.search(ANSWERS[name][1], line), line
    assert line.isprintable() and len(line) < 700


def test_never_from_https_to_plain_http() -> None:
    moved = requests.Response()
    moved.status_code, moved.url = 302, "https://example.org/a"
    for place, says in {
        "http://example.org/b": "from https to plain http",
        "HTTP://example.org/b": "from https to plain http",
        "file:///etc/passwd": "no web server",
        "https://[::1": "Invalid IPv6",
    }.items():
        moved.headers["Location"] = place
        with pytest.raises(SourceFailure, match=says):
            Session(3).get_redirect_target(moved)
    for place in ("https://example.org/b", "/b", "//other.example/b"):
        moved.headers["Location"] = place
        assert Session(3).get_redirect_target(moved) == place


def test_plain_http_is_said(
    tmp_path: Path,
    server: FaultyServer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    for file, says in ((KNOWN, "by its checksum"), (UNKNOWN, "by nothing, for no checksum")):
        with caplog.at_level(logging.WARNING):
            entry = dataset([server.prefix("good")], files=(file,))
            download(entry, "blob", tmp_path / says, patience=HASTE)
        assert f"plain http, so blob.bin is checked {says}" in caplog.text


FOLDERS = {
    "a pipe": (lambda path: os.mkfifo(path), "a pipe or a device"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "a pipe or a device"),
    "a terminal": (
        lambda path: path.symlink_to("/dev/ptmx"),
        "a pipe or a device|cannot|Permission|No",
    ),
    "a folder": (lambda path: path.mkdir(), "Is a directory"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "too large": (
        lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 1 << 40),
        "1,099,",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("file", [KNOWN, UNKNOWN], ids=["known", "unknown"])
def test_what_lies_in_a_folder(tmp_path: Path, name: str, file: dict[str, object]) -> None:
    make, says = FOLDERS[name]
    (tmp_path / "mirror/blob").mkdir(parents=True)
    make(tmp_path / "mirror/blob/blob.bin")
    entry: Dataset = dataset([f"{tmp_path}/nowhere/"], files=(file,))
    with pytest.raises(DownloadError, match=says):
        download(entry, "blob", tmp_path, str(tmp_path / "mirror"), patience=HASTE)
