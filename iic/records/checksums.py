"""What an unfinished run has left is verified before it goes on, by checksums kept beside it.

``SHA256SUMS`` in the run's folder has a line for each checkpoint and snapshot, in the order in
which they were written. A line is written before its file gets its name: wherever a kill falls,
the file that lies there has one. The checkpoint before the last is kept as well, so that a broken
one costs the steps between the two. A checkpoint is of use if it is what was written, and so are
all snapshots from before it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from iic.records.files import RecordError, placing, sha256_file, write_bytes

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"
CHECKPOINT = "checkpoint.pt"
"""The same as `iic.engine.checkpoints.NAME`; here nothing imports torch."""
BEFORE = "checkpoint-before.pt"
DAMAGED = ".damaged"
"""How the names of files end that were set aside: the last one of each name is left."""
KEPT = {".pt": 3, ".npy": 1}
"""Lines of one name, by its ending: a checkpoint that comes, the one that lies there, and the one
before."""


class Line(NamedTuple):
    """One line of `SUMS`, as sha256sum writes it."""

    digest: str
    name: str


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Verify what lies in a run's folder, and keep checksums of what the block writes there.

    What is not as it was written is set aside, with a warning: the run then goes on from the
    checkpoint before, or starts anew. Whoever calls holds the run's lock.

    Args:
        folder: Of checkpoints; need not exist.

    Raises:
        RecordError: What is broken cannot be set aside.
    """
    _verify(folder)

    def place(temporary: Path, path: Path) -> None:
        if path.suffix in KEPT and path.is_relative_to(folder):
            name = path.relative_to(folder).as_posix()
            _write(folder, _with(_lines(folder), Line(sha256_file(temporary), name)))
            if name == CHECKPOINT and path.exists():
                path.replace(folder / BEFORE)
        temporary.replace(path)

    with placing(place):
        yield


def _verify(folder: Path) -> None:
    """Leave a checkpoint of use under its name, or none."""
    checkpoint = folder / CHECKPOINT
    left = [path for path in (checkpoint, folder / BEFORE) if path.exists()]
    lines = _lines(folder)
    usable, problem = _usable(folder, lines)
    ends = {path: usable[digest] for path in left if (digest := _digest(path)) in usable}
    if checkpoint in ends or not left:
        return
    what = f"{checkpoint}: {_problem(checkpoint, lines) or problem}"
    anew = "the training starts anew" if not ends else "the training goes on from the one before"
    log.warning("%s: %s", what, anew)
    try:
        for path in left:
            path.replace(checkpoint if path in ends else path.with_name(path.name + DAMAGED))
    except OSError as error:
        raise RecordError(f"{what}; and it cannot be set aside: {error.strerror}") from error
    # what was written later will be written again
    _write(folder, lines[: max(ends.values(), default=0)])


def _usable(folder: Path, lines: list[Line]) -> tuple[dict[str, int], str]:
    """Checkpoints that may be gone on from: digest -> lines up to its own; and what is wrong."""
    ends = {}
    for number, line in enumerate(lines, start=1):
        if line.name == CHECKPOINT:
            ends[line.digest] = number
        elif _digest(folder / line.name) != line.digest:
            # checkpoints from then on are past it, and would not write it again
            return ends, f"{line.name!r}, which belongs to it, is missing or not as it was written"
    return ends, ""


def _problem(checkpoint: Path, lines: list[Line]) -> str:
    """What is wrong with a checkpoint's own file; empty if nothing is."""
    if not checkpoint.exists():
        return "missing, as after a kill while it was replaced"
    if not lines:
        return f"without a checksum in {SUMS}, as another version of iic leaves it"
    if _digest(checkpoint) not in {line.digest for line in lines}:
        return f"not as it was written, by its SHA-256 in {SUMS}"
    return ""


def _with(lines: list[Line], line: Line) -> list[Line]:
    """`lines` and another one, without those of its name that are out of date."""
    same = [number for number, other in enumerate(lines) if other.name == line.name]
    outdated = same[: max(0, len(same) + 1 - KEPT[Path(line.name).suffix])]
    return [*(other for number, other in enumerate(lines) if number not in outdated), line]


def _write(folder: Path, lines: list[Line]) -> None:
    text = "".join(f"{line.digest}  {line.name}\n" for line in lines)
    write_bytes(folder / SUMS, text.encode(errors="replace"))


def _lines(folder: Path) -> list[Line]:
    """Lines of `SUMS`; one that is damaged fits no file."""
    try:
        text = (folder / SUMS).read_bytes().decode(errors="replace")
    except OSError:
        return []
    parts = (line.partition("  ") for line in text.splitlines())
    return [Line(digest, name) for digest, _, name in parts]


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read, as on a disk that fails."""
    try:
        return sha256_file(path) if path.is_file() else None
    except (OSError, ValueError):  # the latter of a name with a null character
        return None
