"""Atomic writing, hashing and strict reading of the files that jobs leave behind.

A file under its final name is always whole: it is written beside its place under a temporary
name, flushed to disk and renamed. A temporary file is locked while its writer lives, so that the
next writer of the same file can clear away what a killed one has left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

from pydantic import BeforeValidator, ValidationError

from iic.params.base import Model
from iic.params.errors import IICError
from iic.params.escaping import quoted

M = TypeVar("M", bound=Model)
TEMPORARY = ".part"
"""How the names of files end that are still being written."""


_PLACE: ContextVar[Callable[[Path, Path], object]] = ContextVar(
    "place", default=lambda temporary, path: temporary.replace(path)
)


class RecordError(IICError):
    """A file on disk is missing, damaged or of another schema than this version reads."""


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the name `path` only when the block ends well.

    What killed writers of `path` have left is cleared away.

    Raises:
        RecordError: The folder cannot be written to or the disk is full; `path` is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_left_over(path)
        descriptor, temporary = _temporary(path)
        # shares the lock, and so holds it until the file has its final name
        lock = os.dup(descriptor)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _PLACE.get()(temporary, path)
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be written: {error.strerror or error}; nothing was left half-written"
        ) from error
    finally:
        # a disk that has turned read-only keeps it; the next writer clears it away
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        os.close(lock)


@contextlib.contextmanager
def placing(place: Callable[[Path, Path], object]) -> Iterator[None]:
    """In the block, `place` gives a finished file its name; else ``Path.replace`` does.

    Args:
        place: Called with the temporary file and the name that it is to take.
    """
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


def clear_left_over(path: Path) -> None:
    """Delete temporary files of `path` whose writers were killed; those of living ones stay."""
    for name in glob.glob(f".{glob.escape(path.name)}.*{TEMPORARY}", root_dir=path.parent):
        # whoever lives holds the lock; where the system knows no locks, nothing is deleted
        with contextlib.suppress(OSError), (path.parent / name).open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (path.parent / name).unlink()


def _temporary(path: Path) -> tuple[int, Path]:
    """A new, locked file beside `path`, open for writing.

    The system gives it the rights that new files have in that folder, by umask or by default ACL.
    mkstemp would make it private; to mend that afterwards cuts an ACL, and not every file system
    lets rights be changed.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        # another writer took it for left over in the moment before the lock
        os.close(descriptor)


@contextlib.contextmanager
def regular_file(path: Path) -> Iterator[BufferedReader]:
    """Open a file to be read; a pipe or a device, which may never end, is refused at once.

    Raises:
        OSError: It is absent, cannot be read, or is no file.
    """
    with open(path, "rb", opener=_opened_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))
        yield file


def _opened_at_once(path: str, flags: int) -> int:
    """As `open` does it, but without waiting for whoever writes to a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def readable(text: str) -> str:
    """`text` with escapes for what stands for a path's bytes that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


Readable = Annotated[str, BeforeValidator(readable)]
"""Text of a record that may name any path: JSON and pages hold UTF-8 alone."""


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
        RecordError: The file is absent, no JSON, gives a key twice, is of another schema than this
            version reads, or does not fit `model`; names file and key.
    """
    try:
        with regular_file(path) as file:
            text = file.read()
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    ambiguous = _check_schema(path, text, model)
    try:
        record = model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        unknown = first["type"] == "extra_forbidden" and "schema_version" in model.model_fields
        raise RecordError(
            f"{path}: {quoted(key)}: {quoted(first['msg'])}: not a {model.__name__} record"
            + (f" as this version of iic knows it{OTHER_VERSION}" if unknown else "")
        ) from None
    if ambiguous is not None:
        raise RecordError(f"{path}: {ambiguous}: not a {model.__name__} record")
    return record


OTHER_VERSION = (
    "; if another version of iic wrote it, use that version (a receipt names its commit), or move "
    "the file away and make it again"
)


class AmbiguousJSON(ValueError):
    """JSON that two readers may understand differently."""


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text that has but one meaning.

    Raises:
        AmbiguousJSON: A key is given twice, or a number is NaN or infinite; names it.
        ValueError: It is no JSON, or something follows it.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_not_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise AmbiguousJSON(f"the key {quoted(repr(twice), 60)} is given twice")
    return content


def _not_finite(number: str) -> None:
    raise AmbiguousJSON(f"{number} is no number of JSON")


def _check_schema(path: Path, text: bytes, model: type[Model]) -> AmbiguousJSON | None:
    """Refuse a record of another schema by its number, before fields that nobody here knows.

    Returns:
        What makes it ambiguous, if anything does.
    """
    field = model.model_fields.get("schema_version")
    try:
        content = strict_json(text)
    except AmbiguousJSON as error:
        return error
    except (ValueError, RecursionError):
        return None  # the model says what is wrong with it
    if field is None or not isinstance(content, dict):
        return None
    version = content.get("schema_version", field.default)
    if version != field.default:
        raise RecordError(
            f"{path}: schema_version: {quoted(repr(version), 60)}, but this version of iic reads "
            f"{field.default!r}: not a {model.__name__} record that it can take for its own"
            f"{OTHER_VERSION}"
        )
    return None


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal, in constant memory."""
    with regular_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no white space)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256_bytes(canonical.encode())
