"""Files of which nobody publishes a checksum; and taking files over from another dataset."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from iic.data.download import download
from iic.data.errors import DataError, DownloadError
from iic.data.sources import Patience
from iic.data.unverified import as_noted, verify_noted
from iic.data.zips import Members
from iic.params.datasets import Dataset, KnownFile
from iic.records.files import read_record, sha256_bytes
from iic.records.raw import RawManifest
from tests.data.coco_helpers import zipped
from tests.data.faulty_server import CONTENT, FaultyServer, dataset, file_entry

HASTE = Patience(connect=1, read=0.3, attempts=2, backoff=0.01)
REASON = "the source publishes none"
MOST = 1_000_000
BLOB = {"name": "blob.bin", "unverified": REASON, "at_most": MOST}
SURE = file_entry("blob.bin", CONTENT)
SUM = sha256_bytes(CONTENT)


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IIC_MIRROR", raising=False)


def entry(server: FaultyServer, behaviour: str = "good", *files: dict) -> Dataset:
    return dataset([server.prefix(behaviour)], files=files or (BLOB,))


def fetch(root: Path, one: Dataset, name: str = "blob", mirror: str | None = None) -> RawManifest:
    return download(one, name, root, mirror, patience=HASTE)


def raw(root: Path, name: str = "blob") -> Path:
    return root / "data/raw" / name


def test_first_download_notes_the_sum(
    tmp_path: Path, server: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        manifest = fetch(tmp_path, entry(server))
    (record,) = manifest.files
    assert (record.sha256, record.size) == (SUM, len(CONTENT))
    assert (raw(tmp_path) / "blob.bin").read_bytes() == CONTENT
    assert f"no checksum to check it by ({REASON}); sha256 {SUM}" in caplog.text
    verify_noted("blob", entry(server), tmp_path)


def test_noted_file_is_checked_from_then_on(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, entry(server))
    path = raw(tmp_path) / "blob.bin"
    for damaged in (CONTENT[:-1], b"x" + CONTENT[1:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"blob.bin: (cut short|corrupt).*\n.*iic download"):
            verify_noted("blob", entry(server), tmp_path)
        fetch(tmp_path, entry(server))
        assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", ["corrupt", "short"])
def test_source_that_has_changed_is_refused(
    tmp_path: Path, server: FaultyServer, behaviour: str
) -> None:
    fetch(tmp_path, entry(server))
    (raw(tmp_path) / "blob.bin").unlink()
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, entry(server, behaviour))
    assert f"400,000 bytes, sha256 {SUM}; as files.json notes it: delete that to accept" in str(
        caught.value
    )
    assert not (raw(tmp_path) / "blob.bin").exists()
    # which is how another one is accepted
    (raw(tmp_path) / "files.json").unlink()
    assert fetch(tmp_path, entry(server, behaviour)).files[0].sha256 != SUM


def test_nothing_noted(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, entry(server))
    (raw(tmp_path) / "files.json").unlink()
    with pytest.raises(DataError, match=r"notes no checksum of blob\.bin") as caught:
        verify_noted("blob", entry(server), tmp_path)
    assert "remedy: `iic download --dataset blob` notes it" in str(caught.value)
    # the file is there and is not fetched again
    fetch(tmp_path, entry(server, "missing"))
    verify_noted("blob", entry(server), tmp_path)


@pytest.mark.parametrize("behaviour", ["dropping", "recovering", "rangeless"])
def test_broken_off_transfer_of_unknown_size(
    tmp_path: Path, server: FaultyServer, behaviour: str
) -> None:
    assert fetch(tmp_path, entry(server, behaviour)).files[0].sha256 == SUM


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("truncated", "400,000 bytes arrived"),
        ("unannounced", "announces no size, and none is known"),
        ("html", "an HTML page"),
        ("missing", "HTTP 404 Not Found"),
        ("overloaded", "HTTP 503"),
    ],
)
def test_fault_of_a_server(
    tmp_path: Path, server: FaultyServer, behaviour: str, reason: str
) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, entry(server, behaviour))
    assert reason in str(caught.value)
    assert "of unknown size, of unknown checksum" in str(caught.value)
    assert not (raw(tmp_path) / "blob.bin").exists()


def test_known_size_is_checked_at_once(tmp_path: Path, server: FaultyServer) -> None:
    sized = entry(server, "short", BLOB | {"size": len(CONTENT)})
    with pytest.raises(DownloadError, match="cut short: 399,000 bytes, expected 400,000"):
        fetch(tmp_path, sized)


@pytest.mark.parametrize("damage", ["none", "cut", "flipped", "page"])
def test_archive_has_to_be_whole(tmp_path: Path, server: FaultyServer, damage: str) -> None:
    content = bytearray(zipped({"a.txt": b"a" * 500, "b.txt": b"b" * 500}))
    if damage == "cut":
        del content[-30:]
    elif damage == "flipped":
        content[200] ^= 1
    elif damage == "page":
        content = bytearray(b"Too many requests; try again tomorrow")
    server.files["all.zip"] = bytes(content)
    files = {"name": "all.zip", "unverified": REASON, "at_most": MOST}
    if damage == "none":
        fetch(tmp_path, entry(server, "files", files))
        return
    reason = "its member a.txt has another checksum|Bad CRC-32" if damage == "flipped" else "no zip"
    with pytest.raises(DownloadError, match=reason):
        fetch(tmp_path, entry(server, "files", files))
    # the same from a folder of one's own
    folder = tmp_path / "mirror/blob"
    folder.mkdir(parents=True)
    (folder / "all.zip").write_bytes(content)
    with pytest.raises(DownloadError, match=reason):
        fetch(tmp_path, entry(server, "missing", files), mirror=str(tmp_path / "mirror"))


def test_mirror_of_a_single_file(tmp_path: Path, server: FaultyServer) -> None:
    server.files |= {"lists/one.txt": b"one", "two.txt": b"two"}
    single = file_entry("one.txt", b"one") | {"mirrors": (server.prefix("files/lists"),)}
    fetch(tmp_path, entry(server, "files", single, file_entry("two.txt", b"two")))
    # each is asked for only where it is to be had
    assert [request.path for request in server.log] == ["/files/lists/one.txt", "/files/two.txt"]


def test_taken_over_by_a_link(tmp_path: Path, server: FaultyServer) -> None:
    server.files |= {"big.bin": CONTENT, "labels.bin": CONTENT[::-1]}
    files = (file_entry("big.bin", CONTENT), file_entry("labels.bin", CONTENT[::-1]))
    first = fetch(tmp_path, entry(server, "files", *files), "first")
    asked = len(server.log)
    # what lies there unfinished from an earlier try is not written into
    raw(tmp_path, "second").mkdir()
    (raw(tmp_path, "second") / "big.bin.part").write_bytes(CONTENT[:100])
    second = fetch(tmp_path, entry(server, "missing", *files), "second")
    assert len(server.log) == asked
    for name in ("big.bin", "labels.bin"):
        assert os.path.samefile(raw(tmp_path, "first") / name, raw(tmp_path, "second") / name)
    assert [file.sha256 for file in first.files] == [file.sha256 for file in second.files]
    assert not list(raw(tmp_path, "second").glob("*.part"))
    # replaced here, it stays as it is there
    (raw(tmp_path, "second") / "big.bin").unlink()
    (raw(tmp_path, "second") / "big.bin").write_bytes(b"damaged")
    fetch(tmp_path, entry(server, "missing", *files), "second")
    assert (raw(tmp_path, "first") / "big.bin").read_bytes() == CONTENT


def test_copied_where_no_link_can_be_made(
    tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tmp_path, entry(server, "good", SURE), "first")

    def refuse(*paths: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    fetch(tmp_path, entry(server, "missing", SURE), "second")
    taken = raw(tmp_path, "second") / "blob.bin"
    assert taken.read_bytes() == CONTENT and taken.stat().st_nlink == 1


def test_damaged_neighbour_is_passed_over(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, entry(server, "good", SURE), "other")
    (raw(tmp_path, "other") / "blob.bin").write_bytes(CONTENT[::-1])
    asked = len(server.log)
    assert fetch(tmp_path, entry(server, "good", SURE)).files[0].sha256 == SUM
    assert len(server.log) > asked
    assert not os.path.samefile(raw(tmp_path) / "blob.bin", raw(tmp_path, "other") / "blob.bin")


def test_an_equal_name_is_no_equal_file(tmp_path: Path, server: FaultyServer) -> None:
    """Two own datasets, each with a ``blob.bin`` that nobody knows: each gets its own."""
    mirror = tmp_path / "mirror"
    for name in ("mine", "yours"):
        (mirror / name).mkdir(parents=True)
        (mirror / name / "blob.bin").write_text(f"what {name} holds")
    for name in ("mine", "yours"):
        fetch(tmp_path, entry(server, "missing"), name, str(mirror))
        assert (raw(tmp_path, name) / "blob.bin").read_text() == f"what {name} holds"
    # a noted checksum is content: from then on a neighbour that has it will do
    (raw(tmp_path, "yours") / "blob.bin").unlink()
    (raw(tmp_path, "third")).mkdir()
    (raw(tmp_path, "third") / "blob.bin").write_text("what yours holds")
    fetch(tmp_path, entry(server, "missing"), "yours")
    assert os.path.samefile(raw(tmp_path, "yours") / "blob.bin", raw(tmp_path, "third/blob.bin"))


def test_wrong_unverified_file_is_replaced_as_its_error_says(
    tmp_path: Path, server: FaultyServer
) -> None:
    wrong, right = (zipped({f"{name}.txt": b"x"}) for name in ("wrong", "right"))
    archive = {"name": "all.zip", "unverified": REASON, "at_most": MOST}
    server.files["all.zip"] = wrong
    fetch(tmp_path, entry(server, "files", archive))
    path = raw(tmp_path) / "all.zip"
    said = str(Members(path, entry(server)).wrong("right.txt: missing"))
    assert f"delete the wrong file and {raw(tmp_path)}/files.json, then `iic download" in said
    path.unlink()
    (raw(tmp_path) / "files.json").unlink()
    server.files["all.zip"] = right
    assert fetch(tmp_path, entry(server, "files", archive)).files[0].sha256 == sha256_bytes(right)
    assert path.read_bytes() == right


def test_as_noted_reads_only_its_own_line(tmp_path: Path) -> None:
    file = KnownFile.model_validate(BLOB)
    folder = raw(tmp_path)
    assert as_noted(file, folder) is file
    folder.mkdir(parents=True)
    record = {"path": "data/raw/blob/sub/blob.bin", "sha256": "0" * 64, "size": 5}
    (folder / "files.json").write_text(json.dumps({"dataset": "blob", "files": [record]}))
    assert as_noted(file, folder) is file
    record["path"] = "data/raw/blob/blob.bin"
    (folder / "files.json").write_text(json.dumps({"dataset": "blob", "files": [record]}))
    noted = as_noted(file, folder)
    assert (noted.size, noted.checksum, noted.unverified) == (5, "0" * 64, REASON)
    assert as_noted(KnownFile.model_validate(BLOB | {"size": 6}), folder).sha256 is None
    read_record(folder / "files.json", RawManifest)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ({"name": "a", "size": 1}, "needs sha256 or, where none is published, md5"),
        ({"name": "a", "size": 1, "unverified": ""}, "at least 1 character"),
        (file_entry("a", b"a") | {"unverified": REASON}, "has a checksum and is unverified"),
        ({"name": "a", "md5": "0" * 32}, "needs its size"),
    ],
)
def test_wrong_entry(file: dict, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        KnownFile.model_validate(file)


def test_checksum_says_that_there_is_none() -> None:
    assert KnownFile.model_validate(BLOB).checksum == "unverified"


def test_members_and_generated_files_have_checksums(server: FaultyServer) -> None:
    with pytest.raises(ValidationError, match=r"member 'blob.bin' of 'all.zip' needs a checksum"):
        entry(server, "files", file_entry("all.zip", CONTENT) | {"members": (BLOB,)})
    changes = {"generator": "iic.data.standin.content", "stand_in": True}
    with pytest.raises(ValidationError, match="generated files have a sha256"):
        dataset([], files=(BLOB,), **changes)
