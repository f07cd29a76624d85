"""Clones as other people have them: other settings of git, other owners, other places."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from iic.cli.own_clone import OtherClone, use_own_code
from iic.records.files import write_text
from tests.workflow.workflow_helpers import ROOT, copy, edit, git, iic, run, snakemake, write_scale

SCRIPT = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from iic.cli.app import main
main()
"""
"""The environment's ``iic``, whose package is that of another clone than one stands in."""


def test_git_that_changes_line_ends_changes_no_byte(clean: Path, tmp_path: Path) -> None:
    """What git for Windows sets: receipts hold the checksums of bytes."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--config", "core.autocrlf=true", str(clean), str(clone))
    for name in filter(None, git(clean, "ls-files", "-z").split("\0")):
        assert (clone / name).read_bytes() == (clean / name).read_bytes(), name
    assert not git(clone, "status", "--porcelain")
    assert "failure" not in iic(clone, "audit", "--scale", "laptop_cifar10", "--allow-drift").said


def test_what_git_does_not_say_is_not_taken_for_no(clone: Path) -> None:
    """A tarball: whether results are in git is unknown, and dvc.yaml stays as it is."""
    shutil.rmtree(clone / ".git")
    before = (clone / "dvc.yaml").read_bytes()
    said = iic(clone, "dvc", "sync", "--check").said
    assert "metrics and plots of dvc.yaml: left as they are" in said
    assert "git cannot be asked: fatal: not a git repository" in said
    iic(clone, "dvc", "sync")
    assert (clone / "dvc.yaml").read_bytes() == before
    # what params/ say is compared as ever
    edit(clone / "dvc.yaml", "Download and prepare", "Bring")
    assert "out of date" in iic(clone, "dvc", "sync", "--check", expect=1).said


def test_paths_that_are_no_utf_8(clean: Path, tmp_path: Path) -> None:
    """The clone's own, and that of a file in it."""
    clone = copy(clean, tmp_path / os.fsdecode(b"caf\xe9") / "clone")
    write_scale(clone, "tiny", "digits/kmeans")
    stranger = clone / "results/tiny/runs" / os.fsdecode(b"\xff.json")
    stranger.parent.mkdir(parents=True)
    stranger.write_text("{}")
    git(clone, "add", "--all", "--force")
    snakemake(clone, "tables", scale="tiny")
    assert r"results/tiny/runs/\udcff.json" in iic(clone, "audit", "--scale", "tiny", expect=1).said
    assert r"\udcff.json" in (clone / "results/tiny/audit.html").read_text()
    left = json.loads(iic(clone, "prune", "--scale", "tiny", "--json").said)
    assert [(one["path"], one["in_git"]) for one in left["files"]] == [
        (r"results/tiny/runs/\udcff.json", True)
    ]
    assert "deleted 1 files" in iic(clone, "prune", "--scale", "tiny", "--delete").said
    assert not stranger.exists()
    iic(clone, "dvc", "sync")


def test_the_clone_that_one_stands_in_is_judged(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a worktree the environment holds the package of another clone."""
    script = str(tmp_path / "bin" / "iic")
    write_text(Path(script), SCRIPT)
    Path(script).chmod(0o755)
    edit(clone / "iic/cli/app.py", "Reference reproduction of", "Of this very clone:")
    assert "Of this very clone:" in run(clone, script, "--help").said
    assert "Of this very clone:" not in run(ROOT, script, "--help").said
    # where Python is told not to look there, it is refused
    monkeypatch.setattr(sys, "argv", ["/somewhere/iic/__main__.py", "status"])
    monkeypatch.chdir(clone)
    with pytest.raises(OtherClone, match="python -m iic") as refused:
        use_own_code()
    said = f"{clone}: this clone would be judged by the code of another, {ROOT}\n"
    assert str(refused.value).startswith(said)


def test_a_workflow_called_from_elsewhere_says_where_it_works(clean: Path, tmp_path: Path) -> None:
    flags = [f"--snakefile={clean / 'Snakefile'}", "--dry-run", "tables"]
    for place, more in ((tmp_path, []), (clean, [f"--directory={tmp_path}"])):
        done = snakemake(place, *flags, *more, scale="smoke", expect=1)
        said = f"{tmp_path}: not the root of the clone whose workflow this is, {clean}\n"
        assert said in done.said and f"remedy: cd {clean}" in done.said
        assert "is no scale" not in done.said and "Traceback" not in done.said
    snakemake(tmp_path, f"--directory={clean}", *flags, scale="smoke")
