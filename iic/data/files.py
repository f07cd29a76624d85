"""Recognising raw files by size and checksum, and storing them under a temporary name first."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from iic.data.errors import DataError, DownloadError
from iic.params.datasets import Dataset, KnownFile
from iic.params.layers import few
from iic.records.files import sha256_file
from iic.records.paths import raw_folder

Chunks = Iterable[bytes]


class SourceFailure(Exception):
    """One source could not give a file; the text says why, and another source may."""


class Progress(Protocol):
    """Told how far a file has come."""

    def __call__(self, name: str, done: int, total: int) -> None:
        """`done` of `total` bytes of the file `name` have arrived."""


def part_of(path: Path) -> Path:
    """Where a file lies until it is complete and checked."""
    return path.with_name(path.name + ".part")


def size_of(path: Path) -> int:
    """Size in bytes; 0 for a file that is not there."""
    return path.stat().st_size if path.exists() else 0


def lying_there(folder: Path) -> str:
    """What a folder holds, in a few words: whoever looks for a file may have named it otherwise."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    hidden = (".part", ".lock", "files.json")
    names = sorted(path.name for path in folder.iterdir() if not path.name.endswith(hidden))
    return f"{folder} holds {few(names)}" if names else f"{folder} is empty"


def wrong_size(size: int, file: KnownFile) -> str:
    """Say how a file's size differs from the catalogue's."""
    how = "cut short" if size < file.size else "too long"
    return f"{how}: {size:,} bytes, expected {file.size:,}"


def mismatch(path: Path, file: KnownFile) -> str | None:
    """How the file at `path` differs from what the catalogue says; None when it is the same."""
    if not path.exists():
        return "missing"
    size = path.stat().st_size
    if size != file.size:
        return wrong_size(size, file)
    kind = "md5" if file.sha256 is None else "sha256"
    expected = file.sha256 or file.md5
    digest = _md5_file(path) if file.sha256 is None else sha256_file(path)
    if digest != expected:
        return f"corrupt: {kind} {digest}, expected {expected}"
    return None


def _md5_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def verify_raw(name: str, dataset: Dataset, root: Path) -> None:
    """Check every raw file of a dataset by size and checksum.

    Raises:
        DataError: A file is missing, cut, corrupt or unreadable; names the file and the remedy.
    """
    for file in dataset.raw_files:
        path = root / raw_folder(name) / file.name
        try:
            problem = mismatch(path, file)
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        if problem:
            raise DataError(
                f"{path}: {problem}\n"
                f"  remedy: `iic download --dataset {name}` replaces it (from a folder or server "
                "of your own with --config mirror=DIR_OR_URL)"
            )


def store(
    chunks: Chunks, part: Path, raw_file: KnownFile, progress: Progress, *, append: bool = False
) -> None:
    """Write what arrives to `part`, or behind what `part` already holds.

    Raises:
        SourceFailure: More arrives than the file has; or whatever `chunks` raises.
        DownloadError: The disk is full or the folder cannot be written to.
    """
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        done = size_of(part) if append else 0
        with part.open("ab" if append else "wb") as file:
            for chunk in chunks:
                done += len(chunk)
                if done > raw_file.size:
                    discard(part)
                    raise SourceFailure(f"too long: more than the expected {raw_file.size:,} bytes")
                file.write(chunk)
                progress(raw_file.name, done, raw_file.size)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DownloadError(
            f"{part}: cannot be written: {error.strerror or error}\n"
            f"  remedy: make room for {raw_file.size:,} bytes in a folder that can be written to; "
            "the next download goes on from what has arrived"
        ) from error


def keep(part: Path, path: Path) -> None:
    """Give a complete and checked file its final name.

    Raises:
        DownloadError: The folder cannot be written to.
    """
    try:
        part.replace(path)
    except OSError as error:
        raise DownloadError(f"{path}: cannot be written: {error.strerror or error}") from error


def discard(part: Path) -> None:
    """Delete a partial file that is of no use."""
    with contextlib.suppress(FileNotFoundError):
        part.unlink()


def read_chunks(path: Path, size: int = 1 << 20) -> Chunks:
    """Content of a file of another place, piece by piece.

    Raises:
        SourceFailure: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while chunk := file.read(size):
                yield chunk
    except OSError as error:
        raise SourceFailure(f"{path}: cannot be read: {error.strerror}") from error
