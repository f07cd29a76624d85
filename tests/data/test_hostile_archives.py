"""Archives that try to leave their folder, or to give something other than a file's content."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from iic.data.archives import unpack
from iic.data.errors import DataError
from iic.data.files import SourceFailure
from iic.params.datasets import KnownFile, SourceFile
from tests.data.faulty_server import file_entry

CONTENT = b"1" * 1000
WANTED = "batches/one.bin"
TYPES = {
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
}
ELSEWHERE = ("../evil", "../../evil", "/{root}/evil", "batches/../../evil", "..\\evil")


def silent(name: str, done: int, total: int) -> None:
    pass


def tarred(add: Callable[[tarfile.TarFile], None]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        add(archive)
    return target.getvalue()


def put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def try_unpack(root: Path, packed: bytes, *members: str) -> None:
    """Unpack the members, each thought to hold CONTENT, into a folder of `root`."""
    folder = root / "data/raw/blob"
    folder.mkdir(parents=True)
    archive = folder / "all.part"
    archive.write_bytes(packed)
    file = SourceFile.model_validate(
        file_entry("all.tar.gz", packed)
        | {"members": tuple(file_entry(name, CONTENT) for name in members)}
    )
    unpack(archive, file, folder, silent)


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_members_that_lie_elsewhere_are_left_alone(tmp_path: Path, kind: str, name: str) -> None:
    name = name.format(root=tmp_path)

    def add(archive: tarfile.TarFile) -> None:
        put(archive, name, b"evil")
        put(archive, WANTED, CONTENT)

    packed = io.BytesIO()
    if kind == "tar":
        packed = io.BytesIO(tarred(add))
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, b"evil")
            archive.writestr(WANTED, CONTENT)
    try_unpack(tmp_path / "in", packed.getvalue(), WANTED)
    assert everything(tmp_path) == {f"in/data/raw/blob/{one}" for one in (WANTED, "all.part")}
    assert (tmp_path / "in/data/raw/blob" / WANTED).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "a/./b", "..", "a//b", "a\\b", "-rf", "a\nb",
             "~/evil", ".hidden", "$(x)", "a b"],
)  # fmt: skip
def test_the_catalogue_names_no_file_outside_its_folder(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        KnownFile.model_validate(file_entry(name, CONTENT))


@pytest.mark.parametrize("kind", TYPES)
def test_a_member_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)

    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(WANTED)
        info.type = TYPES[kind]
        info.linkname = str(secret)
        archive.addfile(info)

    with pytest.raises(DataError, match=f"{WANTED}: is not in the archive"):
        try_unpack(tmp_path / "in", tarred(add), WANTED)
    assert everything(tmp_path) == {"secret", "in/data/raw/blob/all.part"}


def test_a_link_is_not_followed_out_of_the_archive_by_a_later_member(tmp_path: Path) -> None:
    """A folder that is a link, then a file in that folder: the classic way out."""
    (tmp_path / "outside").mkdir()

    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("batches")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        archive.addfile(info)
        put(archive, WANTED, CONTENT)

    try_unpack(tmp_path / "in", tarred(add), WANTED)
    assert not any((tmp_path / "outside").iterdir())
    assert not (tmp_path / "in/data/raw/blob/batches").is_symlink()
    assert (tmp_path / "in/data/raw/blob" / WANTED).read_bytes() == CONTENT


def test_a_link_to_another_member_counts_by_its_content_alone(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        put(archive, "batches/two.bin", b"2" * 1000)
        info = tarfile.TarInfo(WANTED)
        info.type, info.linkname = tarfile.LNKTYPE, "batches/two.bin"
        archive.addfile(info)

    with pytest.raises(DataError, match="corrupt"):
        try_unpack(tmp_path, tarred(add), WANTED)


def test_a_zip_bomb_stops_at_the_size_that_is_known(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(WANTED, b"0" * 50_000_000)
    assert len(packed.getvalue()) < 100_000
    with pytest.raises(SourceFailure, match="too long: more than the expected 1,000 bytes"):
        try_unpack(tmp_path, packed.getvalue(), WANTED)
    assert everything(tmp_path) == {"data/raw/blob/all.part"}
