"""From a listing to one memory-mapped array, in an order that only contents decide."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.own.decode import Header, coloured, decode, header, in_channels
from iic.own.errors import OwnDataError, Unreadable
from iic.own.items import Item, Listing, Skipped
from iic.params.escaping import cell
from iic.records.files import atomic_file, sha256_bytes, sha256_json, write_text

SAMPLE = 256
"""Images that are decoded to see whether there is colour."""
Progress = Callable[[int, int], None]
"""Told of images done and of all."""


class ColourFound(Exception):
    """An image has colour among images that were taken for grey."""


class Entry(NamedTuple):
    """An image whose content is known."""

    digest: str
    """SHA-256 of the file's bytes, or of the pixels."""
    name: str
    item: Item
    header: Header


@dataclass(frozen=True)
class Scan:
    """All images that can be opened, by content."""

    entries: list[Entry]
    skipped: list[Skipped]
    top: float | None = None
    """As in `Listing`."""

    @property
    def side(self) -> int:
        """Median of the shorter sides, in pixels."""
        return int(np.median([entry.header.side for entry in self.entries]))

    def has_colour(self) -> bool:
        """Whether any image of a sample, the same for the same contents, has colour."""
        for entry in self.entries[:: max(1, len(self.entries) // SAMPLE)]:
            if entry.header.grey:
                continue
            try:
                if coloured(decode(entry.item.read(), 32)):
                    return True
            except Unreadable:
                continue
        return False


@dataclass(frozen=True)
class Images:
    """Images at the working size.

    Args:
        pixels: uint8 (n, C, S, S), memory-mapped where they come from a file.
        names: As listed, (n,).
        digests: SHA-256 of each content, ascending, (n,).
        labels: What the listing says of each, (n,).
        skipped: What could not be read.
        top: As in `Listing`.
    """

    pixels: NDArray[np.uint8]
    names: list[str]
    digests: list[str]
    labels: list[str | None]
    skipped: list[Skipped]
    top: float | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all contents, whatever the files are called."""
        return sha256_json(self.digests)

    @property
    def distinct(self) -> int:
        """Different contents."""
        return len(set(self.digests))

    @property
    def copies(self) -> int:
        """Images that are the same, byte by byte, as an earlier one."""
        return len(self.digests) - self.distinct


def scan(listing: Listing, progress: Progress | None = None) -> Scan:
    """Read every image once: its hash and its header; one is in memory at a time.

    Raises:
        OwnDataError: None can be opened.
    """
    entries, skipped = [], list(listing.skipped)
    for number, item in enumerate(listing.items):
        try:
            content = item.read()
            head = header(content)
            raw = content if isinstance(content, bytes) else _bytes_of(content)
            entries.append(Entry(sha256_bytes(raw), item.name, item, head))
        except Unreadable as reason:
            skipped.append(Skipped(item.name, str(reason)))
        if progress:
            progress(number + 1, len(listing.items))
    if not entries:
        raise OwnDataError(f"no image can be read: {_summary(skipped)}")
    entries.sort(key=lambda entry: (entry.digest, entry.name))
    return Scan(entries, skipped, listing.top)


def collect(
    scanned: Scan,
    side: int,
    channels: int,
    path: Path,
    *,
    grey_taken: bool = True,
    progress: Progress | None = None,
) -> Images:
    """Decode all images into the array file `path`.

    Args:
        scanned: What to decode.
        side: Working size in pixels.
        channels: 1 or 3.
        path: A .npy file to write; it appears whole or not at all.
        grey_taken: Whether coloured images may be turned grey.
        progress: Told of images done.

    Raises:
        ColourFound: An image has colour, and must not be turned grey.
        OwnDataError: None can be decoded.
        RecordError: The disk is full or cannot be written to.
    """
    kept: list[Entry] = []
    skipped = list(scanned.skipped)
    with atomic_file(path) as file:
        head = _array_header((len(scanned.entries), channels, side, side))
        file.write(head)
        for number, entry in enumerate(scanned.entries):
            try:
                pixels = decode(entry.item.read(), side)
                if channels == 1 and not grey_taken and coloured(pixels):
                    raise ColourFound(entry.name)
                pixels = in_channels(pixels, channels)
            except Unreadable as reason:
                skipped.append(Skipped(entry.name, str(reason)))
            else:
                file.write(np.ascontiguousarray(pixels).data)
                kept.append(entry)
            if progress:
                progress(number + 1, len(scanned.entries))
        if not kept:
            raise OwnDataError(f"no image can be decoded: {_summary(skipped)}")
        shorter = _array_header((len(kept), channels, side, side))
        assert len(shorter) == len(head)  # numpy leaves room for the count to change
        file.seek(0)
        file.write(shorter)
    return Images(
        np.load(path, mmap_mode="r", allow_pickle=False),
        [entry.name for entry in kept],
        [entry.digest for entry in kept],
        [entry.item.label for entry in kept],
        sorted(skipped, key=lambda one: one.name),
        scanned.top,
    )


def write_skipped(path: Path, skipped: Iterable[Skipped]) -> None:
    """Write ``skipped.csv``: path and reason of each file that was no image."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "reason"))
    writer.writerows((cell(one.name), cell(one.reason)) for one in skipped)
    write_text(path, text.getvalue())


def _array_header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    description = np.lib.format.dtype_to_descr(np.dtype(np.uint8))
    content = {"descr": description, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, content)
    return header.getvalue()


def _bytes_of(pixels: NDArray[np.uint8]) -> bytes:
    return repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()


def _summary(skipped: list[Skipped]) -> str:
    reasons = Counter(one.reason for one in skipped).most_common(3)
    return "; ".join(f"{count} x {reason}" for reason, count in reasons)
