"""Images before they are read: where each lies, by whatever name the user knows it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from iic.data.zips import content_of
from iic.own.errors import Unreadable
from iic.params.escaping import quoted
from iic.records.files import sha256_bytes

LARGEST_FILE = 1 << 30
"""Bytes; a larger file is no image, and would be read into memory to find that out."""
LONGEST_NAME = 200
"""Bytes of a file's name, which some systems limit to 255; endings are added."""
AMBIGUOUS = re.compile(r"%(?=25|5F)|_(?=[_/])|(?<=[_/])_")
"""What could stand for a folder in `flat_name`, or for its own escape."""


def flat_name(name: str) -> str:
    """A file's name for an image that lies in folders: two images never share one."""
    flat = AMBIGUOUS.sub(lambda sign: f"%{ord(sign[0]):02X}", name).replace("/", "__")
    content = flat.encode()
    if len(content) <= LONGEST_NAME:
        return flat
    ending = f"-{sha256_bytes(name.encode())[:16]}{Path(name).suffix[:16]}"
    return content[: LONGEST_NAME - len(ending.encode())].decode(errors="ignore") + ending


class Item(Protocol):
    """One image that is still to be read."""

    @property
    def name(self) -> str:
        """As it is listed: path below the folder, member of the archive, row of the array."""

    @property
    def label(self) -> str | None:
        """What the listing says of it; never used to train."""

    def read(self) -> bytes | NDArray[np.uint8]:
        """A file's bytes, or pixels (H, W, C).

        Raises:
            Unreadable: It has gone, or cannot be opened.
        """


@dataclass(frozen=True)
class FileItem:
    """An image in a file of its own."""

    name: str
    path: Path
    label: str | None = None

    def read(self) -> bytes:
        """The file's bytes."""
        try:
            if not self.path.is_file():
                raise Unreadable("no regular file" if self.path.exists() else "no such file")
            if self.path.stat().st_size > LARGEST_FILE:
                raise Unreadable(f"larger than {LARGEST_FILE >> 20} MiB")
            return self.path.read_bytes()
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None


@dataclass(frozen=True)
class MemberItem:
    """An image inside a zip."""

    name: str
    archive: zipfile.ZipFile
    label: str | None = None

    def read(self) -> bytes:
        """The member's bytes."""
        try:
            return content_of(self.archive, self.archive.getinfo(self.name), LARGEST_FILE)
        except Exception as error:  # damaged bytes may lead a decoder anywhere
            raise Unreadable(f"cannot be unpacked: {quoted(error)}") from None


@dataclass(frozen=True)
class RowItem:
    """An image that is a row of an array."""

    name: str
    pixels: NDArray[np.uint8]
    """(H, W, C), C 1 or 3."""
    label: str | None = None

    def read(self) -> NDArray[np.uint8]:
        """The pixels."""
        return self.pixels


@dataclass(frozen=True)
class Skipped:
    """A file that is no image that can be read."""

    name: str
    reason: str


@dataclass
class Listing:
    """All images of a source, in no order that matters, and what is no image."""

    items: list[Item]
    skipped: list[Skipped] = field(default_factory=list)
    top: float | None = None
    """Number that is white in an array of other numbers than bytes; None elsewhere."""
