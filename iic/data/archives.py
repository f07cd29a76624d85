"""Taking the known files out of a tar or zip archive."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from iic.data.errors import DataError
from iic.data.files import Progress, discard, keep, mismatch, part_of, store
from iic.params.datasets import SourceFile


def unpack(archive: Path, file: SourceFile, folder: Path, progress: Progress) -> None:
    """Write `file.members` from an archive that was itself checked already into `folder`.

    Raises:
        DataError: The archive lacks a member or holds another one than the catalogue says.
        DownloadError: `folder` cannot be written to.
    """
    with _open(archive, file.name) as opened:
        for member in file.members:
            path = folder / member.name
            part = part_of(path)
            try:
                store(_content(opened, member.name), part, member, progress)
                problem = mismatch(part, member)
            except KeyError:
                problem = "is not in the archive"
            except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                problem = f"cannot be unpacked: {error}"
            if problem:
                discard(part)
                raise DataError(
                    f"{file.name}: {member.name}: {problem}\n"
                    "  remedy: correct the members of this archive in params/datasets.yaml"
                )
            keep(part, path)


def _open(archive: Path, name: str) -> tarfile.TarFile | zipfile.ZipFile:
    try:
        if zipfile.is_zipfile(archive):
            return zipfile.ZipFile(archive)
        return tarfile.open(archive)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(f"{name}: neither a tar nor a zip archive: {error}") from error


def _content(opened: tarfile.TarFile | zipfile.ZipFile, name: str) -> Iterator[bytes]:
    stream: IO[bytes] | None
    if isinstance(opened, zipfile.ZipFile):
        stream = opened.open(name)
    else:
        stream = opened.extractfile(name)
    if stream is None:
        raise KeyError(name)
    with stream:
        while chunk := stream.read(1 << 20):
            yield chunk
