"""Files are whole or absent, whatever happens while they are written, and read strictly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from iic.params.base import Model
from iic.records.files import (
    Readable,
    RecordError,
    atomic_file,
    dump_json,
    read_record,
    sha256_bytes,
    sha256_file,
    sha256_json,
    write_bytes,
    write_record,
    write_text,
)

ROOT = Path(__file__).resolve().parents[2]


class Note(Model):
    word: str
    number: float = 0.0
    parts: tuple[int, ...] = ()


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: as on a full disk, the system refuses to write on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "note.json"
    write_record(path, Note(word="Ä", number=1.5, parts=(1, 2)))
    assert path.read_bytes() == (
        '{\n  "word": "Ä",\n  "number": 1.5,\n  "parts": [\n    1,\n    2\n  ]\n}\n'.encode()
    )
    assert read_record(path, Note) == Note(word="Ä", number=1.5, parts=(1, 2))
    write_text(path, "short")
    assert path.read_text() == "short"
    assert [one.name for one in path.parent.iterdir()] == ["note.json"]


def test_files_are_as_readable_as_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert os.umask(before) == before


def test_a_file_system_that_lets_no_rights_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CIFS refuses it."""

    def refuse(*given: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_default_rights_of_a_folder_are_kept(tmp_path: Path) -> None:
    """A default ACL by which the group may write, whatever the umask says."""
    # version 2; user and group of a new file rwx, others r-x, before its mode is taken off
    entries = [(0x01, 7), (0x04, 7), (0x20, 5)]
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, bits, 0xFFFFFFFF) for tag, bits in entries
    )
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")
    before = os.umask(0o077)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o664


def test_record_of_a_path_that_is_no_utf_8(tmp_path: Path) -> None:
    class Named(Model):
        path: Readable

    write_record(tmp_path / "a.json", Named(path=os.fsdecode(b"\xff\xc3\xa9")))
    assert read_record(tmp_path / "a.json", Named).path == r"\udcff" + "é"


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failing_writer_leaves_the_file_as_it_was(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert (path.read_bytes() if path.exists() else None) == old
    assert len(list(tmp_path.iterdir())) == (old is not None)


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_is_a_clear_error_and_leaves_the_file_as_it_was(
    tmp_path: Path, old: bytes | None
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with (
        room_for(10_000),
        pytest.raises(RecordError, match=rf"^{path}: cannot be written: .*nothing was left half"),
    ):
        write_bytes(path, b"x" * 1_000_000)
    assert (path.read_bytes() if path.exists() else None) == old
    assert len(list(tmp_path.iterdir())) == (old is not None)
    write_bytes(path, b"now there is room")
    assert path.read_bytes() == b"now there is room"


@pytest.mark.parametrize("where", ["os.fsync", "iic.records.files.Path.replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_kill_before_the_rename_leaves_the_file_as_it_was(
    tmp_path: Path, where: str, old: bytes | None
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    code = (
        "import os, signal, sys; from pathlib import Path; from unittest.mock import patch\n"
        "from iic.records.files import write_bytes\n"
        "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"with patch({where!r}, die): write_bytes(Path(sys.argv[1]), b'new')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (path.read_bytes() if path.exists() else None) == old
    # what the killed process had written has no final name, and the next writer clears it away
    assert [one.suffix for one in tmp_path.iterdir() if one != path] == [".part"]
    write_bytes(tmp_path / "another", b"x")
    assert sum(one.suffix == ".part" for one in tmp_path.iterdir()) == 1
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert {one.name for one in tmp_path.iterdir()} == {"file", "another"}


def test_a_writer_that_lives_is_not_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "[file]*"
    with atomic_file(path) as slow:
        slow.write(b"slow")
        with atomic_file(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
    assert path.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_all_end_well(tmp_path: Path) -> None:
    contents = [bytes([number]) * 1000 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(write_bytes, tmp_path / "file"), contents))
    assert (tmp_path / "file").read_bytes() in contents
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_or_a_folder_in_the_way_is_a_clear_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordError, match=r"file/inside: cannot be written: (Not a dir|File ex)"):
        write_text(tmp_path / "file" / "inside", "x")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(RecordError, match="folder: cannot be written: Is a directory"):
        write_text(tmp_path / "folder", "x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "missing"),
        (b"", r"\(whole file\): Invalid JSON"),
        (b'{"word": "a"', r"\(whole file\): Invalid JSON"),
        (b"\xff", r"\(whole file\): Invalid JSON"),
        (b"[]", r"\(whole file\): Input should be an object: not a Note record"),
        (b"{}", "word: Field required: not a Note record"),
        (b'{"word": 1}', "word: Input should be a valid string"),
        (b'{"word": "a", "wrod": 1}', "wrod: Extra inputs are not permitted"),
        (b'{"word": "a", "number": NaN}', "number: Input should be a finite number"),
        (b'{"word": "a", "parts": [1, "2"]}', "parts.1: Input should be a valid integer"),
    ],
)
def test_a_damaged_record_is_named_by_file_and_key(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "note.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordError, match=rf"^{path}: {says}"):
        read_record(path, Note)


class Versioned(Note):
    schema_version: int = 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"word": "a", "schema_version": 4}', "schema_version: 4, but this .* reads 3: not a V"),
        (b'{"word": "a", "schema_version": 2}', "schema_version: 2, but this .* reads 3: not a V"),
        (b'{"words": [], "schema_version": 4}', "schema_version: 4, but this .* reads 3: not a V"),
        (b'{"word": "a", "schema_version": null}', "schema_version: None, but this .* reads 3"),
        (b'{"word": "a", "mood": "good"}', "mood: Extra inputs .* as this version .* knows it"),
    ],
)
def test_a_record_of_another_version_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(content)
    remedy = "use that version .*, or move the file away and make it again$"
    with pytest.raises(RecordError, match=rf"^{path}: {says}.*{remedy}"):
        read_record(path, Versioned)


def test_a_record_without_what_a_later_version_added_is_read(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(b'{"word": "a"}')
    assert read_record(path, Versioned) == Versioned(word="a")


def test_json_nested_beyond_all_measure_is_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(b'{"word": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    with pytest.raises(RecordError, match="not a Versioned record"):
        read_record(path, Versioned)


def test_a_folder_in_place_of_a_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read: Is a directory"):
        read_record(tmp_path, Note)


def test_what_json_cannot_say_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json({"loss": float("nan")})
    assert dump_json({"ü": 1}) == '{\n  "ü": 1\n}\n'


def test_hashes(tmp_path: Path) -> None:
    content = b"x" * 3_000_000
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert sha256_bytes(content) == hashlib.sha256(content).hexdigest()
    # the order of keys is no content, the order of a list is
    assert sha256_json({"a": 1, "b": [1, 2]}) == sha256_json({"b": [1, 2], "a": 1})
    assert sha256_json({"a": 1, "b": [1, 2]}) != sha256_json({"a": 1, "b": [2, 1]})
    assert sha256_json({"a": "ü"}) == hashlib.sha256('{"a":"ü"}'.encode()).hexdigest()
