"""Whether some Snakemake is at work in the clone: nothing may be deleted under its hands."""

from __future__ import annotations

from pathlib import Path

from iic.params.errors import IICError

LOCKS = Path(".snakemake/locks")


class Busy(IICError):
    """A Snakemake holds the clone, or one was killed while it did."""


def refuse_while_busy(root: Path, purpose: str) -> None:
    """Check that no Snakemake holds the clone.

    Args:
        root: Root of the clone.
        purpose: What is refused, as in "prune deletes nothing".

    Raises:
        Busy: There is a lock, whether of a Snakemake that runs or of one that was killed: the lock
            does not say which.
    """
    folder = root / LOCKS
    locks = sorted(lock.name for lock in folder.iterdir()) if folder.is_dir() else []
    if locks:
        raise Busy(
            f"{LOCKS}: a Snakemake holds this clone, and {purpose} until it has ended\n"
            "  if none is running here or on another machine (one was killed): "
            "snakemake --unlock, then try again"
        )
