"""Taking the known files out of a tar or zip archive."""

from __future__ import annotations

import contextlib
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from iic.data.errors import DataError
from iic.data.files import Progress, SourceFailure, discard, keep, mismatch, part_of, store
from iic.data.packed import Bounded, decompressed
from iic.data.zips import check_kind, open_archive
from iic.params.datasets import SourceFile
from iic.params.escaping import quoted

BESIDES = 1 << 26
"""Bytes of a tar archive besides twice its known members: headers, and files of no use here."""


def unpack(archive: Path, file: SourceFile, folder: Path, progress: Progress) -> None:
    """Write `file.members` from an archive that was itself checked already into `folder`.

    Raises:
        DataError: The archive lacks a member, holds another one than the catalogue says, is
            damaged, or unpacks to far more than its members.
        SourceFailure: A member is longer than the catalogue says.
        DownloadError: `folder` cannot be written to.
    """
    most = 2 * sum(member.size for member in file.members) + BESIDES
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(_open(archive, most))
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise DataError(
                f"{file.name}: neither a tar nor a zip archive: {quoted(error)}"
            ) from error
        for member in file.members:
            path = folder / member.name
            part = part_of(path)
            try:
                store(_content(opened, member.name), part, member, progress)
                problem = mismatch(part, member)
            except (SourceFailure, DataError):
                raise
            except KeyError:
                problem = "is not in the archive"
            except Exception as error:
                problem = f"cannot be unpacked: {quoted(error)}"
            if problem:
                discard(part)
                raise DataError(
                    f"{file.name}: {member.name}: {problem}\n"
                    "  remedy: correct the members of this archive in params/datasets.yaml"
                )
            keep(part, path)


@contextlib.contextmanager
def _open(archive: Path, most: int) -> Iterator[tarfile.TarFile | zipfile.ZipFile]:
    if zipfile.is_zipfile(archive):
        with open_archive(archive) as opened:
            yield opened
        return
    with (
        decompressed(archive) as stream,
        tarfile.open(fileobj=Bounded(stream, most), mode="r:") as opened,
    ):
        yield opened


def _content(opened: tarfile.TarFile | zipfile.ZipFile, name: str) -> Iterator[bytes]:
    stream: IO[bytes] | None
    try:
        if isinstance(opened, zipfile.ZipFile):
            check_kind(opened.getinfo(name))
            stream = opened.open(name)
        else:
            stream = opened.extractfile(name)
        if stream is None:
            raise KeyError(name)
        with stream:
            while chunk := stream.read(1 << 20):
                yield chunk
    except OSError as error:  # which who writes would take for an error of its own
        raise EOFError(str(error)) from error
