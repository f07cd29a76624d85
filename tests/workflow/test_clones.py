"""Clones as other people have them: other settings of git, other owners, other places."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from iic.cli.own_clone import OtherClone, use_own_code
from iic.cli.workflow import stand_ins
from iic.records.files import write_text
from tests.workflow.workflow_helpers import (
    ROOT,
    copy,
    dvc,
    edit,
    git,
    iic,
    run,
    snakemake,
    write_scale,
)

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
    assert "git cannot be asked: it is no git repository" in said
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


def make(clone: Path, *arguments: str, **more: str) -> str:
    flags = ("--no-print-directory", f"PYTHON={sys.executable}")
    return run(clone, "make", *flags, *arguments, **more).said


def test_the_environment_of_a_moved_clone_is_made_anew(clone: Path) -> None:
    """Its programs begin with the path of a Python that is not there any more."""
    run(clone, sys.executable, "-m", "venv", "--without-pip", ".venv")
    for name in ("pip", "uv"):
        (clone / ".venv/bin" / name).symlink_to("python")
    (clone / ".venv/.ready").touch()
    said = make(clone, "--dry-run", "setup")
    assert "up to date" in said or "Nothing to be done" in said, said
    moved = clone.rename(clone.with_name("renamed"))
    said = make(moved, "--dry-run", "setup")
    assert 'test -z "moved" -a -x .venv/bin/pip' in said and "uv pip sync" in said
    # an environment that several clones share by a link has not moved
    clone.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-uv.lock"):
        shutil.copy2(moved / name, clone / name)
    run(moved, sys.executable, "-m", "venv", "--without-pip", "--clear", ".venv")
    (moved / ".venv/.ready").touch()
    (clone / ".venv").symlink_to(moved / ".venv")
    assert "uv pip sync" not in make(clone, "--dry-run", "setup")


def test_a_user_without_home_and_name(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uid without passwd entry and HOME=/, as containers have it."""
    show = "--eval=show: ; @echo $$HOME, $$USER"
    said = make(clean, show, "show", HOME="/nonexistent")
    assert said.startswith(f"{clean}/scratch/home,")
    assert make(clean, show, "show", HOME=str(clean)).startswith(f"{clean},")
    monkeypatch.chdir(clean)
    monkeypatch.setenv("HOME", str(clean))
    assert stand_ins() == {}
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.setenv("LOGNAME", "me")
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    home = str(clean / "scratch/home")
    assert stand_ins() == {"HOME": home, "USER": "user54321", "LOGNAME": "me"}


def test_an_audit_of_results_that_are_read_only_shows_what_it_found(clone: Path) -> None:
    """A file in the way stands for a folder without write permission, which root would not mind."""
    (clone / "results/laptop_cifar10/audit.json").unlink()
    (clone / "results/laptop_cifar10/audit.json").mkdir()
    said = iic(clone, "audit", "--write", "--scale", "laptop_cifar10", expect=1).said
    shown = said.index("laptop_cifar10: verified")
    assert said.index("audit.json: cannot be written") > shown and "Traceback" not in said


WITHOUT_TORCH = """
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("libtorch_cpu.so: failed to map segment from shared object")
sys.meta_path.insert(0, Lacking())
from iic.provenance import isolated
isolated.active = lambda: True  # another process would not lack it
from iic.cli.app import main
main()
"""


def test_an_audit_needs_no_torch(clone: Path) -> None:
    """What counts a network's layers is not built again, and all else is verified."""
    command = ["audit", "--allow-drift", "--scale", "laptop"]
    said = run(clone, sys.executable, "-c", WITHOUT_TORCH, *command).said
    assert "supp_table_1 was not built again: a package cannot be loaded here" in said
    assert "laptop: verified" in said and "failure" not in said and "Traceback" not in said


def test_data_behind_a_link(clone: Path, tmp_path: Path) -> None:
    """Snakemake follows it; DVC takes no outs there, which is said before the work."""
    (tmp_path / "disk").mkdir()
    (clone / "data").symlink_to(tmp_path / "disk")
    refused = dvc(clone, "repro", "data@digits", expect=None)
    assert refused.status != 0
    assert f"data: a link to {tmp_path}/disk, outside of the clone, where DVC" in refused.said
    assert not list((tmp_path / "disk").iterdir())
    snakemake(clone, "data/prepared/digits/data.json")
    assert (tmp_path / "disk/prepared/digits/images.npy").exists()
