"""Atomic writing, hashing and strict reading of the files that jobs leave behind.

A file under its final name is always whole: it is written beside its place under a temporary
name, flushed to disk and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import ValidationError

from iic.params.base import Model
from iic.params.errors import IICError

M = TypeVar("M", bound=Model)


class RecordError(IICError):
    """A file on disk is missing, damaged or of another schema than this version reads."""


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the name `path` only when the block ends well.

    Raises:
        RecordError: The folder cannot be written to or the disk is full; `path` is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; results are meant to be read by a whole lab
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be written: {error.strerror or error}; nothing was left half-written"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def dump_json(value: Any) -> str:
    """JSON as every file of this project has it: two spaces, UTF-8, a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_record(path: Path, record: Model) -> None:
    """Write a record as indented JSON, whole or not at all."""
    write_text(path, dump_json(record.model_dump(mode="json")))


def read_record(path: Path, model: type[M]) -> M:
    """Read a record and check it against its model.

    Raises:
        RecordError: The file is absent, no JSON, or does not fit `model`; names file and key.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise RecordError(f"{path}: {key}: {first['msg']}: not a {model.__name__} record") from None


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no white space)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256_bytes(canonical.encode())
