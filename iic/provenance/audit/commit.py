"""A commit to be audited in place of the work tree."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from iic.provenance import git


@contextlib.contextmanager
def checked_out(name: str, root: Path = Path()) -> Iterator[Path]:
    """The commit's files in a temporary folder that is the working directory during the block.

    The folder is deleted in the end. The clone is only read: no worktree, branch or lock is left
    in it. Data and artifacts are in no commit, so they are not there.

    Args:
        name: Branch, tag or hash.
        root: Root of the clone.

    Raises:
        GitUnknown: There is no such commit, or it cannot be trusted.
    """
    commit = git.commit_of(root, name)
    with tempfile.TemporaryDirectory(prefix="iic-audit-") as top:
        folder = Path(top) / "commit"
        folder.mkdir()
        git.write_files(root, commit, folder)
        with contextlib.chdir(folder):
            yield folder
