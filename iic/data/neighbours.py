"""Taking raw files over from another dataset that has the same ones.

They are linked, not copied: the 20 GB of COCO's archives, which two entries of the catalogue share,
lie on the disk once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from iic.data.files import Progress, SourceFailure, discard, keep, mismatch, part_of
from iic.data.sources import copy_checked
from iic.data.unverified import is_known
from iic.params.datasets import KnownFile

log = logging.getLogger(__name__)


def take_over(kept: Sequence[KnownFile], folder: Path, progress: Progress) -> bool:
    """Give files of another dataset a second name in a raw folder, once they are checked.

    A file is known by its checksum alone. One that has none yet is taken from nobody: under the
    same name, two datasets may mean two files.

    Args:
        kept: The files.
        folder: The raw folder; those of the other datasets lie beside it.
        progress: Told of bytes where a file has to be copied.

    Returns:
        Whether a dataset has them all.

    Raises:
        DownloadError: `folder` cannot be written to.
    """
    if not all(map(is_known, kept)):
        return False
    for neighbour in sorted(path for path in folder.parent.iterdir() if path.is_dir()):
        if neighbour == folder:
            continue
        if not all(_has(neighbour / file.name, file.size) for file in kept):
            continue
        try:
            for file in kept:
                _take(file, neighbour / file.name, folder / file.name, progress)
            return True
        except SourceFailure as reason:
            log.info("%s: not taken over: %s", folder.name, reason)
    return False


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _take(file: KnownFile, source: Path, path: Path, progress: Progress) -> None:
    try:
        problem = mismatch(source, file)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    if problem:
        raise SourceFailure(f"{source}: {problem}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        # straight to its name: a link called <file>.part would be written into by a later download
        os.link(source, path)
    except OSError:  # another file system, or one without links
        copy_checked(source, file, part_of(path), progress)
        keep(part_of(path), path)
    else:
        discard(part_of(path))
