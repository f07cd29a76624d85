"""A server with every fault that a download may meet, and catalogue entries to test with."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from iic.params.datasets import Dataset

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CONTENT = random.Random(0).randbytes(400_000)
HTML = b"\n<!DOCTYPE html><html><head><title>Please log in</title></head></html>"


@dataclass(frozen=True)
class Request:
    path: str
    range: str | None
    sent: int


@dataclass
class FaultyServer:
    """Serves CONTENT below /<behaviour>/..., each in its own way."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    """Paths below /files/ and what lies there."""
    log: list[Request] = field(default_factory=list)

    def prefix(self, behaviour: str) -> str:
        return f"{self.address}/{behaviour}/"


def handler_of(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            behaviour, _, name = self.path.strip("/").partition("/")
            earlier = sum(one.path == self.path for one in server.log)
            index = len(server.log)
            server.log.append(Request(self.path, self.headers.get("Range"), 0))
            sent = getattr(self, f"do_{behaviour}")(name, earlier)
            server.log[index] = Request(self.path, self.headers.get("Range"), sent)

        def answer(
            self,
            body: bytes,
            *,
            status: int = 200,
            announce: int | None = -1,
            headers: dict[str, str] | None = None,
        ) -> int:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            if announce is not None:
                self.send_header("Content-Length", str(len(body) if announce < 0 else announce))
            if announce is None or announce >= 0:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body)
            return len(body)

        def start(self) -> int:
            asked = self.headers.get("Range")
            return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

        def answer_range(self, stop: int = len(CONTENT)) -> int:
            start = self.start()
            body = CONTENT[start:stop]
            if not start:
                return self.answer(body, announce=len(CONTENT))
            span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            return self.answer(
                body, status=206, announce=len(CONTENT) - start, headers={"Content-Range": span}
            )

        def do_good(self, name: str, earlier: int) -> int:
            return self.answer_range()

        def do_files(self, name: str, earlier: int) -> int:
            if name not in server.files:
                return self.answer(b"not here", status=404)
            return self.answer(server.files[name])

        def do_truncated(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT[:200_000], announce=len(CONTENT))

        def do_unannounced(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT[:200_000], announce=None)

        def do_short(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT[:-1000])

        def do_long(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT + b"more", announce=None)

        def do_corrupt(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT[:1000] + b"\0" + CONTENT[1001:])

        def do_html(self, name: str, earlier: int) -> int:
            return self.answer(HTML, headers={"Content-Type": "application/octet-stream"})

        def do_missing(self, name: str, earlier: int) -> int:
            return self.answer(b"<html>not found</html>", status=404)

        def do_overloaded(self, name: str, earlier: int) -> int:
            return self.answer(b"", status=503)

        def do_recovering(self, name: str, earlier: int) -> int:
            return self.answer(b"", status=503) if earlier == 0 else self.answer(CONTENT)

        def do_dropping(self, name: str, earlier: int) -> int:
            return self.answer_range(stop=200_000 if earlier == 0 else len(CONTENT))

        def do_rangeless(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT[: 200_000 if earlier == 0 else None], announce=len(CONTENT))

        def do_misranging(self, name: str, earlier: int) -> int:
            if not self.start():
                return self.answer(CONTENT[:200_000], announce=len(CONTENT))
            body = CONTENT[100:]
            span = f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}"
            return self.answer(body, status=206, headers={"Content-Range": span})

        def do_labelled(self, name: str, earlier: int) -> int:
            return self.answer(CONTENT, headers={"Content-Encoding": "gzip"})

        def do_stalling(self, name: str, earlier: int) -> int:
            sent = self.answer(CONTENT[:50_000], announce=len(CONTENT))
            self.wfile.flush()
            time.sleep(1.5)
            return sent

        def do_headers(self, name: str, earlier: int) -> int:
            self.answer(b"", announce=len(CONTENT))
            self.wfile.flush()
            time.sleep(1.5)
            return 0

        def do_mute(self, name: str, earlier: int) -> int:
            time.sleep(1.5)
            self.close_connection = True
            return 0

    return Handler


def file_entry(name: str, content: bytes) -> dict[str, object]:
    """A catalogue's entry for a file."""
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def dataset(mirrors: list[str], **changes: object) -> Dataset:
    entry: dict[str, object] = {
        "title": "Blob",
        "description": "Bytes to download.",
        "module": "iic.data.digits",
        "classes": ("a", "b"),
        "image": {"channels": 1, "height": 2, "width": 2},
        "splits": {"train": 3, "test": 2},
        "licence": "none",
        "citation": "@misc{blob}",
        "page": "https://example.org/",
        "mirrors": tuple(mirrors),
        "files": (file_entry("blob.bin", CONTENT),),
    }
    return Dataset.model_validate({**entry, **changes})
