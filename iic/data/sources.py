"""Places that a raw file can come from: a folder, or a server that may fail in every known way.

A transfer that breaks off is taken up again with an HTTP range request where the server allows it.
Whatever arrives counts only once its size and SHA-256 are the catalogue's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from iic.data.answers import (
    BrokenOff,
    Session,
    accepted_offset,
    html_page,
    length,
    refusal,
    refuse_other_content,
)
from iic.data.files import (
    Progress,
    SourceFailure,
    discard,
    lying_there,
    read_chunks,
    size_of,
    store,
    wrong_size,
)
from iic.data.unverified import is_known, problem_of
from iic.params.datasets import KnownFile
from iic.params.errors import IICError
from iic.params.escaping import quoted
from iic.records.files import regular_file

CHUNK = 1 << 15
"""Bytes; what a break in the connection can cost."""


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server."""

    connect: float = 10.0
    """Seconds until the connection must stand."""
    read: float = 30.0
    """Seconds without a single byte after which a transfer counts as stalled."""
    attempts: int = 3
    """Attempts in a row that bring the file no further."""
    backoff: float = 1.0
    """Seconds before the second attempt; doubled before each one after it."""
    redirects: int = 5
    """Addresses in a row that answers may send one to."""


@dataclass(frozen=True)
class Folder:
    """A folder that holds the files under their names in the catalogue."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def fetch(self, expected: KnownFile, part: Path, progress: Progress) -> None:
        """Copy a file to `part`.

        Raises:
            SourceFailure: The folder has no such file, or not the right one.
            DownloadError: `part` cannot be written.
        """
        copy_checked(self.path / expected.name, expected, part, progress)


@dataclass(frozen=True)
class Server:
    """A URL prefix to which the files' names are appended."""

    prefix: str
    patience: Patience = Patience()

    def __str__(self) -> str:
        return self.prefix

    def fetch(self, expected: KnownFile, part: Path, progress: Progress) -> None:
        """Bring a file to `part`, going on from what `part` holds already.

        Raises:
            SourceFailure: The server does not have the file, not the right one, is too slow, or
                does anything else that is wrong.
            DownloadError: `part` cannot be written.
        """
        try:
            self._fetch(expected, part, progress)
        except (SourceFailure, IICError):
            raise
        except Exception as error:  # whatever one server does wrong, the next one is asked
            raise SourceFailure(f"{type(error).__name__}: {quoted(error)}") from error

    def _fetch(self, expected: KnownFile, part: Path, progress: Progress) -> None:
        url = self.prefix + quote(expected.name)
        if not is_known(expected):
            discard(part)  # of another source: no checksum would tell that the two do not belong
        furthest, fruitless, restarted = size_of(part), 0, False
        with Session(self.patience.redirects) as session:
            while True:
                resumed = size_of(part) > 0
                try:
                    if not expected.size:
                        expected = sized(expected, self._announced(session, url))
                    self._attempt(session, url, expected, part, progress)
                except BrokenOff as error:
                    fruitless = fruitless + 1 if size_of(part) <= furthest else 0
                    furthest = max(furthest, size_of(part))
                    if fruitless >= self.patience.attempts:
                        raise SourceFailure(
                            f"{error}; {furthest:,} of {expected.size:,} bytes arrived, "
                            f"the last {fruitless} attempts brought no more"
                        ) from error
                    time.sleep(self.patience.backoff * 2 ** max(fruitless - 1, 0))
                    continue
                problem = problem_of(part, expected)
                if problem is None:
                    return
                discard(part)
                if not resumed or restarted:
                    raise SourceFailure(problem)
                # the bytes from before may be the bad ones: once more, from the start
                restarted, furthest = True, 0

    def _attempt(
        self,
        session: Session,
        url: str,
        expected: KnownFile,
        part: Path,
        progress: Progress,
    ) -> None:
        if size_of(part) > expected.size:
            discard(part)
        offset = size_of(part)
        if offset == expected.size:
            return
        with self._ask(session, url, offset) as response:
            offset = accepted_offset(response, offset, expected, part)
            chunks = self._chunks(response)
            first = next(chunks, b"")
            if offset == 0:
                refuse_other_content(response, first, expected)
            store(_chain(first, chunks), part, expected, progress, append=offset > 0)
        if size_of(part) < expected.size:
            raise BrokenOff("the connection ended early")

    def _ask(self, session: Session, url: str, offset: int) -> requests.Response:
        try:
            return session.get(
                url,
                headers={"Range": f"bytes={offset}-"} if offset else {},
                stream=True,
                timeout=(self.patience.connect, self.patience.read),
            )
        except requests.ConnectionError as error:
            raise BrokenOff(f"cannot be reached: {_root_cause(error)}") from error
        except requests.Timeout as error:
            raise BrokenOff(f"no answer within {self.patience.read:g} s") from error
        except requests.RequestException as error:
            raise SourceFailure(quoted(error)) from error

    def _announced(self, session: Session, url: str) -> int:
        """Size of a file of which nobody publishes it: without one, a cut file passes for whole."""
        with self._ask(session, url, 0) as response:
            if response.status_code != 200:
                raise refusal(response)
            announced = length(response)
        if not announced:
            raise SourceFailure("announces no size, and none is known: it may be cut unnoticed")
        return announced

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            # not iter_content: it would unpack a .gz that a server labels as an encoding
            yield from response.raw.stream(CHUNK, decode_content=False)
        except ReadTimeoutError as error:
            raise BrokenOff(f"stalled: not a byte for {self.patience.read:g} s") from error
        except (HTTPError, OSError) as error:
            raise BrokenOff(f"the connection broke off: {_root_cause(error)}") from error


def copy_checked(source: Path, expected: KnownFile, part: Path, progress: Progress) -> None:
    """Copy the file `source` to `part` and check it.

    Raises:
        SourceFailure: `source` is missing, unreadable, cut or corrupt.
        DownloadError: `part` cannot be written.
    """
    try:
        with regular_file(source) as file:
            size = os.fstat(file.fileno()).st_size
            page = html_page(file.read(CHUNK))
    except FileNotFoundError as error:
        there = lying_there(source.parent)
        raise SourceFailure(f"{source}: {error.strerror}; {there}") from error
    except OSError as error:
        raise SourceFailure(f"{source}: {error.strerror}") from error
    if page:
        raise SourceFailure(f"{source}: {page} in place of the file")
    if expected.size and size != expected.size:
        raise SourceFailure(f"{source}: {wrong_size(size, expected)}")
    store(read_chunks(source), part, sized(expected, size), progress)
    if problem := problem_of(part, expected):
        discard(part)
        raise SourceFailure(f"{source}: {problem}")


def sized(expected: KnownFile, size: int) -> KnownFile:
    """The file with the size that a source says it has.

    Raises:
        SourceFailure: An unverified file may not be so large.
    """
    if expected.at_most and size > expected.at_most:
        raise SourceFailure(
            f"{size:,} bytes, more than the {expected.at_most:,} that it may have (at_most in "
            "params/datasets.yaml)"
        )
    return expected.model_copy(update={"size": size})


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _root_cause(error: BaseException) -> str:
    """The innermost error's text: what the layers above wrap it in says nothing to a reader."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return quoted(getattr(error, "strerror", None) or error or type(error).__name__)
