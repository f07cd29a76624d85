"""Reading members of a large zip archive from several threads, without unpacking it.

An archive may come from anywhere. How much of it is taken into memory is bounded before it is read:
its list of members, and each member.
"""

from __future__ import annotations

import os
import struct
import threading
import zipfile
from pathlib import Path

from iic.data.errors import DataError, replace_files
from iic.params.datasets import Dataset
from iic.params.escaping import quoted

KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others unpack a block to any size at once."""
ENTRY = 150
"""Bytes in the list of members for each of them, names included."""
MOST_MEMBERS = 1_000_000
"""Members of an archive of which nothing else is known: 600 MB in memory."""
END, END_64 = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q")
"""How an archive ends, signature and sizes; and what stands before that beyond 4 GB."""
LOCATOR = 20
"""Bytes between the two."""


class TooLarge(zipfile.BadZipFile):
    """More would come out of an archive than may; the text says by which limit."""


def open_archive(path: Path, members: int = MOST_MEMBERS) -> zipfile.ZipFile:
    """Open an archive with a list of members of a bounded size.

    Args:
        path: The archive.
        members: How many it may have, about.

    Raises:
        TooLarge: Its list is longer.
        OSError, ValueError, zipfile.BadZipFile, ...: It cannot be read, or is damaged.
    """
    size, most = _size_of_list(path), members * ENTRY
    if size > most:
        raise TooLarge(
            f"its list of members has {size:,} bytes, more than the {most:,} that about "
            f"{members:,} members take"
        )
    return zipfile.ZipFile(path)


def content_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest: int) -> bytes:
    """A member's content, whose checksum is right; never more than `largest` bytes of it.

    Raises:
        TooLarge: It has more, or is packed in a way that cannot be bounded.
        OSError, ValueError, zipfile.BadZipFile, ...: It is damaged.
    """
    check_kind(member)
    if member.file_size > largest:
        raise TooLarge(
            f"unpacks to {member.file_size:,} bytes, more than the {largest:,} that a member may "
            "have here"
        )
    # ZipFile.read would unpack all that is packed before it looks at the size
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise EOFError(f"{len(content):,} of {member.file_size:,} bytes")
    return content


def check_zip(path: Path, most: int) -> None:
    """Read all that is in an archive once, in bounded memory.

    Args:
        path: The archive.
        most: Bytes that its members may have together.

    Raises:
        TooLarge: They have more, by what they say of themselves.
        zipfile.BadZipFile, ...: A member has another checksum, or anything else is damaged.
    """
    with open_archive(path) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > most:
            raise TooLarge(f"unpacks to {total:,} bytes, more than the {most:,} that it may have")
        for member in members:
            check_kind(member)
            with archive.open(member) as file:
                while file.read(1 << 20):
                    pass


def check_kind(member: zipfile.ZipInfo) -> None:
    """Refuse a kind of packing that unpacks without bounds.

    Raises:
        TooLarge: It is one.
    """
    if member.compress_type not in KINDS:
        raise TooLarge(
            f"is packed in a way (number {member.compress_type}) that unpacks without bounds; "
            "allowed are deflate, and none"
        )


def _size_of_list(path: Path) -> int:
    """Bytes of the list of members, 0 where no archive ends: zipfile says so better."""
    with path.open("rb") as file:
        total = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, total - END.size - 0xFFFF))
        tail = file.read()
        place = tail.rfind(b"PK\5\6")
        if place < 0 or len(tail) - place < END.size:
            return 0
        size: int = END.unpack_from(tail, place)[5]
        before = start + place - LOCATOR - END_64.size
        if before >= 0:
            file.seek(before)
            record = file.read(END_64.size)
            if record.startswith(b"PK\6\6"):
                size = max(size if size < 0xFFFFFFFF else 0, END_64.unpack(record)[8])
        return size


def largest_member(dataset: Dataset) -> int:
    """Bytes that a member may have, by the catalogue: an image before it was scaled, or a list.

    Twice the pixels of an image, for no format makes it larger than that, a line for each image and
    a megabyte besides.
    """
    scale, tiles = (dataset.maps.scale, dataset.maps.tiles or 1) if dataset.maps else (1.0, 1)
    channels, height, width = dataset.image.shape
    pixels = channels * (height * tiles / scale) * (width * tiles / scale)
    return int(2 * pixels) + 100 * dataset.count + (1 << 20)


class Members:
    """The files in a zip archive, by their names in it.

    Args:
        path: The archive, in the raw folder of a dataset.
        dataset: The catalogue's entry, which says how large members may be and how many there are.

    Raises:
        DataError: It is missing, cut, no zip archive or lists too many members.
    """

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self.path = path
        self.largest = largest_member(dataset)
        # one archive for all threads: that of COCO lists 118,288 members, 70 MB of them in memory.
        # What takes time is decoding what was read, which happens outside the lock.
        self._lock = threading.Lock()
        try:
            # an archive may hold images that no split names, such as those for testing
            self._archive = open_archive(path, 4 * dataset.count + 10_000)
        except OSError as error:
            raise self.wrong(f"cannot be read: {error.strerror or error}") from error
        except TooLarge as error:
            raise self.wrong(str(error)) from error
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise self.wrong(f"cut or no zip archive: {error}") from error

    @property
    def names(self) -> list[str]:
        """All files' names, in the archive's order; folders are left out."""
        return [name for name in self._archive.namelist() if not name.endswith("/")]

    def __contains__(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """Content of the file `name`, whose checksum is right.

        Raises:
            DataError: There is no such file, it is larger than the dataset's may be, or the archive
                is damaged there.
        """
        member = self._archive.NameToInfo.get(name)
        if member is None:
            raise self.wrong(f"holds no {name}")
        try:
            with self._lock:
                return content_of(self._archive, member, self.largest)
        except TooLarge as error:
            raise self.wrong(f"{name}: {error}") from error
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise self.wrong(f"{name}: cut or damaged: {error}") from error

    def check_pixels(self, name: str, height: int, width: int) -> None:
        """Refuse an image before it is decoded whose pixels would take more than a member may.

        Raises:
            DataError: It is one.
        """
        if height * width > self.largest:
            raise self.wrong(
                f"{name}: {height:,}x{width:,} pixels, more than the {self.largest:,} that "
                "an image may have here"
            )

    def wrong(self, problem: str) -> DataError:
        """An error about this archive; `problem` may quote what is in it."""
        return DataError(f"{self.path}: {quoted(problem)}{replace_files(self.path.parent)}")
