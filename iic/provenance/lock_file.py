"""The lock file: one hash for all versions that an installation has."""

from __future__ import annotations

from pathlib import Path

from iic.records.files import sha256_file

LOCK = Path("requirements.lock")


def lock_hash(root: Path = Path()) -> str:
    """SHA-256 of ``requirements.lock``, or ``absent``."""
    lock = root / LOCK
    return sha256_file(lock) if lock.is_file() else "absent"
