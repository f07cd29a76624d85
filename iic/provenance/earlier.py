"""The receipt that a job had before: it stays where a job that runs again only confirms it.

What stands in git is the record of who made a number, where and when. A visitor whose job comes
out byte for byte the same has checked that record, and has no reason to replace it; and since the
children of a receipt hold its digest, a receipt that stays keeps every chain above it closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from iic.provenance.changes import stands
from iic.provenance.environment import tracked_content
from iic.records.links import Receipts, standing
from iic.records.receipt import Receipt

SAME = {"rule", "wildcards", "seed", "precision", "deterministic", "stand_in", "outcome"}
"""Fields that, beside the files, say what was done; others say where, when and by which code."""


@dataclass(frozen=True)
class Earlier:
    """An earlier receipt, in memory alone: it vouches for nothing while a job replaces files."""

    content: bytes
    receipt: Receipt
    tracked: bool
    """Whether git has it."""


def earlier(path: Path, root: Path = Path()) -> list[Earlier]:
    """The earlier receipts of a job: the one in its place, and the one that git keeps.

    Snakemake deletes the outputs of a job before it starts it, the receipt among them, so that
    often only git still has it. To be asked before the first is deleted. Those that cannot be read,
    or were edited, are left out.

    Args:
        path: The job's receipt, relative to `root`.
        root: Root of the clone.
    """
    try:
        lies_there = (root / path).read_bytes()
    except OSError:
        lies_there = None
    tracked = tracked_content(path, root)
    contents = dict.fromkeys(content for content in (lies_there, tracked) if content is not None)
    return list(_readable(contents, tracked))


def _readable(contents: dict[bytes, None], tracked: bytes | None) -> Iterator[Earlier]:
    for content in contents:
        try:
            receipt = Receipt.model_validate_json(content)
        except ValidationError:
            continue
        if receipt.seal == receipt.digest:
            yield Earlier(content, receipt, content == tracked)


def confirmed(candidates: list[Earlier], now: Receipt, root: Path = Path()) -> Earlier | None:
    """The first earlier receipt that says of today's files, and of how they were made, the same.

    That is: the same inputs, outputs and outcome, by hash; code and settings that are today's, or
    were accepted for them; and parents that are, as they lie there now, what it was made from. A
    receipt that no commit has, of code that no commit has, gives way to one of committed code.

    Args:
        candidates: What `earlier` found before the job ran.
        now: What the job would write, of files that are complete.
        root: Root of the clone.
    """
    for candidate in candidates:
        replaceable = not candidate.tracked and candidate.receipt.code.dirty
        if replaceable and now.code.dirty is False:
            continue
        if _says_the_same(candidate.receipt, now) and _stands_on(candidate.receipt, now, root):
            return candidate
    return None


def _says_the_same(before: Receipt, now: Receipt) -> bool:
    """Whether files, outcome, code and settings are the same, or were accepted."""
    if _done(before) != _done(now):
        return False
    if before.fingerprint.value == now.fingerprint.value:
        # a value can be forged without its parts; names of definitions are for a reader only
        parts = (receipt.fingerprint.model_copy(update={"code": {}}) for receipt in (before, now))
        return len({part.model_dump_json() for part in parts}) == 1
    return stands(before, now.fingerprint)


def _done(receipt: Receipt) -> list[object]:
    # the order in which a job names its files says nothing
    named = (receipt.inputs, receipt.outputs)
    files = [{file.path: file.sha256 for file in role} for role in named]
    return [*files, receipt.model_dump(mode="json", include=SAME)]


def _stands_on(before: Receipt, now: Receipt, root: Path) -> bool:
    """Whether both have the same parents, which are still what `before` was made from."""
    digests = {parent.path: parent.digest for parent in now.parents}
    if digests.keys() != {parent.path for parent in before.parents}:
        return False
    there = Receipts(root)
    return all(
        digests[link.path] == link.digest or standing(before, link, there) == "holds"
        for link in before.parents
    )
