"""Clones as other people have them: other settings of git, other owners, other places."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.workflow_helpers import git, iic


def test_git_that_changes_line_ends_changes_no_byte(clean: Path, tmp_path: Path) -> None:
    """What git for Windows sets: receipts hold the checksums of bytes."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=true", str(clean), str(clone))
    for name in filter(None, git(clean, "ls-files", "-z").split("\0")):
        assert (clone / name).read_bytes() == (clean / name).read_bytes(), name
    assert not git(clone, "status", "--porcelain")
    assert "failure" not in iic(clone, "audit", "--scale", "laptop_cifar10", "--allow-drift").said
