"""Are the packages that compute as their wheels brought them, in the lock's versions?

Each wheel brings a list of its files with their hashes (``RECORD``). Files are compared with it.
The list itself is not vouched for: the hashes of the lock file are of whole wheels, which are gone
once they are installed (docs/threat-model.md).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from iic.provenance.audit.report import Finding
from iic.provenance.environment import PACKAGES
from iic.provenance.lock_file import LOCK

LARGE = 20_000_000
"""Bytes of a file that is left out of a quick look."""
CODE = re.compile(r"\.(py|so(\.[\d.]+)?)$")
"""What runs; the rest, such as headers and tests' data, is left out of a quick look."""
NAMED = 3


class Packages:
    """The packages of this environment that can change a number.

    Args:
        root: Root of the clone, with the lock file.
        thorough: Whether to look at every file; else at code, up to `LARGE`.
    """

    def __init__(self, root: Path, thorough: bool) -> None:
        self.root = root
        self.thorough = thorough
        self.compared = 0
        """Files that were compared with their hash."""

    def check(self) -> Iterator[Finding]:
        """Files that are not the wheel's, and versions that are not the lock's."""
        locked = versions(self.root / LOCK)
        for name in PACKAGES:
            try:
                package = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue
            if package.version not in locked.get(name, {package.version}):
                yield Finding(
                    level="drift",
                    kind="environment",
                    path=name,
                    message=f"{name} is {package.version} here, and "
                    f"{' or '.join(sorted(locked[name]))} in {LOCK}",
                    remedy="install what the lock file says: make setup",
                )
            yield from self._files(name, package)

    def _files(self, name: str, package: metadata.Distribution) -> Iterator[Finding]:
        hashed = [file for file in package.files or () if file.hash is not None]
        if not hashed:
            yield Finding(
                level="note",
                kind="environment",
                path=name,
                message=f"nothing says what the files of {name} were: no RECORD was installed",
            )
            return
        others = [str(file) for file in hashed if not self._same(file)]
        if others:
            more = f", and {len(others) - NAMED} more" if len(others) > NAMED else ""
            yield Finding(
                level="failure",
                kind="environment",
                path=name,
                message=f"{len(others)} files of {name} are not those of its wheel, so nobody "
                f"knows what it computes: {', '.join(others[:NAMED])}{more}",
                remedy="install the lock file anew: delete .venv, make setup; then audit again",
            )

    def _same(self, file: metadata.PackagePath) -> bool:
        """Whether a file is what the wheel brought, as far as that is looked at."""
        if not self.thorough and CODE.search(file.name) is None:
            return True
        place = Path(str(file.locate()))
        try:
            if not self.thorough and place.stat().st_size > LARGE:
                return True
            assert file.hash is not None
            with place.open("rb") as content:
                digest = hashlib.file_digest(content, file.hash.mode).digest()
        except (OSError, ValueError):
            return False
        self.compared += 1
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value


def versions(lock: Path) -> dict[str, set[str]]:
    """Package -> its versions in a lock file, which may have one for each version of Python."""
    try:
        text = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    pinned: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", text, re.MULTILINE):
        pinned.setdefault(name, set()).add(version)
    return pinned
