"""Are the files that an audit reads files, and do they lie in the clone?

A pipe or a device hangs whoever reads it, and of a link out of the clone a message would show what
only its reader may see. So nothing is read where there is one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from iic.params.runs import Plan
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.environment import CODE_PATHS
from iic.records import paths
from iic.records.files import RecordError

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
LARGEST_TEXT, LARGEST = 2**28, 2**36
"""Bytes of a file that is read as a whole, and of one that is hashed: far above any of ours."""
NO_DISK = ("/proc", "/sys", "/dev")
"""Here lie files without an end."""


def check(tree: Tree) -> Iterator[Finding]:
    """What must not be read; where there is any, the other checks have to be left out."""
    results = f"{paths.RESULTS}/{tree.scale}"
    data = [f"{room}/{name}" for room in (paths.RAW, paths.PREPARED) for name in tree.plan.datasets]
    expected = {str(path) for job in tree.jobs for path in (job.receipt, *job.outputs)}
    for top in (*CODE_PATHS, str(paths.RESULTS), results, *data):
        own = tree.root / top
        # other scales have audits of their own, and what a link hides is not looked for
        skipped = top == str(paths.RESULTS) or (top == results and own.is_symlink())
        for path in (own, *(() if skipped else _below(own))):
            name = path.relative_to(tree.root).as_posix()
            if reason := _unreadable(tree, name, path, name in expected):
                yield Finding(
                    level="failure",
                    kind="unreadable",
                    path=name,
                    message=f"{reason}; so nothing was read here",
                    remedy="take the file from git or DVC again, or delete it; then do this again",
                )


def refuse(plan: Plan, root: Path = Path()) -> None:
    """See that all of it may be read.

    Raises:
        RecordError: It may not; names the first path.
    """
    for finding in check(Tree(plan, root)):
        raise RecordError(f"{finding.path}: {finding.message}\n  remedy: {finding.remedy}")


def _below(top: Path) -> Iterator[Path]:
    """All that lies in a folder; links are named, never followed."""
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder, name) for name in (*folders, *files))


def _unreadable(tree: Tree, name: str, path: Path, expected: bool) -> str | None:
    """Why a path must not be read; None where it may be, or is not there."""
    try:
        target = path.resolve()
        state = path.stat()
    except FileNotFoundError:
        return (
            f"it is a link to {os.readlink(path)}, which is not there"
            if path.is_symlink()
            else None
        )
    except (OSError, RuntimeError) as error:
        return f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    if path.is_symlink() and (reason := _link(tree, name, path, target)):
        return reason
    if stat.S_ISDIR(state.st_mode):
        return "it is a folder where a file belongs" if expected else None
    if not stat.S_ISREG(state.st_mode):
        return f"it is {KINDS.get(stat.S_IFMT(state.st_mode), 'no file')}, and no file"
    most = LARGEST if tree.restorable(name) else LARGEST_TEXT
    if state.st_size > most:
        return f"it has {state.st_size:,} bytes, where {most:,} are the most that is read"
    return None


def _link(tree: Tree, name: str, path: Path, target: Path) -> str | None:
    if any(target.is_relative_to(folder) for folder in NO_DISK):
        return f"it is a link to {target}, which is no file on a disk"
    # data and artifacts may lie on another disk, or in DVC's cache; nothing of them is shown
    if tree.restorable(name) or name in CODE_PATHS:
        return None
    inside = any(target.is_relative_to((tree.root / top).resolve()) for top in CODE_PATHS)
    if name.startswith(str(paths.RESULTS)) or not inside:
        return f"it is a link to {os.readlink(path)}, and results and code lie in the clone"
    return None
