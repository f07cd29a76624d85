"""The code and settings of the clone that exports, and the lock files that jobs ran with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from iic.provenance import git
from iic.provenance.crate.files import Files
from iic.provenance.crate.graph import reference
from iic.provenance.environment import CODE_PATHS
from iic.provenance.lock_file import LOCK
from iic.records.files import sha256_bytes
from iic.records.receipt import FileRecord, Receipt

WORKFLOW = "Snakefile"
"""The main workflow, which includes all others."""
BESIDE = ("CITATION.cff", "LICENSE")
LOCK_FORMAT = "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
LEFT_OUT = ("__pycache__",)


def code_files(root: Path) -> Iterator[str]:
    """Code, settings and lock file of a clone, in a fixed order; the main workflow is left out."""
    for name in (*CODE_PATHS, *BESIDE):
        entry = root / name
        if entry.is_dir():
            for path in sorted(entry.rglob("*")):
                parts = path.relative_to(root).parts
                hidden = any(part.startswith(".") or part in LEFT_OUT for part in parts)
                if path.is_file() and not hidden:
                    yield "/".join(parts)
        elif entry.is_file() and name != WORKFLOW:
            yield name


def add_locks(files: Files, receipts: Iterable[Receipt]) -> list[str]:
    """Refer to every lock file that a job ran with.

    One that has changed since is taken from the commit of its job, where the clone's history has
    that; otherwise it is known by its hash alone.

    Returns:
        Their identifiers in the crate.
    """
    commits: dict[str, str | None] = {}
    for receipt in receipts:
        if receipt.environment.lock != "absent":
            commits.setdefault(receipt.environment.lock, receipt.code.commit)
    locks = []
    for digest, commit in commits.items():
        about: dict[str, Any] = {"conformsTo": reference(LOCK_FORMAT)}
        path = f"locks/{digest}.lock"
        if digest == files.tree.sha256(str(LOCK)):
            locks.append(files.refer(files.find(str(LOCK)), **about))
            continue
        content = _at(files.tree.root, commit)
        if content is not None and sha256_bytes(content) == digest:
            about["description"] = f"{LOCK} at commit {commit}; jobs in this crate ran with it."
            locks.append(files.make(path, content, **about))
            continue
        about["description"] = f"A {LOCK} that jobs in this crate ran with; not in this crate."
        about["contentSize"] = None
        locks.append(files.refer(FileRecord(path=path, sha256=digest, size=0), **about))
    return locks


def _at(root: Path, commit: str | None) -> bytes | None:
    """The lock file at a commit; None where the history does not have it."""
    if commit is None:
        return None
    try:
        return git.read(root, "cat-file", "blob", "--end-of-options", f"{commit}:{LOCK}")
    except git.GitUnknown:
        return None
