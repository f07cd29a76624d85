"""Git runs nothing that a clone's own files name, and nothing of the clone talks it into a lie."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from iic.provenance import git
from iic.provenance.environment import code_state, tracked_content, tracked_files
from tests.conftest import ROOT

CODE = "iic/a.py"
MARKER = "marker"
Act = Callable[[Path], None]


def plain(root: Path, *arguments: str, check: bool = True) -> str:
    """Git as anybody calls it."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=root,
        env=clean,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def touched(root: Path) -> None:
    """Times that the index does not know: git has to read the file, through whatever filters."""
    os.utime(root / CODE, (1, 1))


def program(root: Path) -> str:
    """A program that leaves a marker."""
    path = root.parent / "program"
    path.write_text(f"#!/bin/sh\ntouch '{root.parent / MARKER}'\n")
    path.chmod(0o755)
    return str(path)


@dataclass(frozen=True)
class Trick:
    """Something in a clone that makes git run a program."""

    name: str
    act: Act
    plainly: tuple[str, ...] | None
    """A command of git that runs it when nothing is done against that; None where it only might."""


def configured(*settings: str, attributes: str = "", also: Act | None = None) -> Act:
    """Settings ``key=value`` of the clone, PROGRAM in them replaced; and its attributes."""

    def act(root: Path) -> None:
        for setting in settings:
            key, _, value = setting.partition("=")
            plain(root, "config", key, value.replace("PROGRAM", program(root)))
        if attributes:
            (root / ".gitattributes").write_text(attributes)
        touched(root)
        if also is not None:
            also(root)

    return act


def _included(root: Path) -> None:
    (root / "more").write_text(f"[core]\nfsmonitor = {program(root)}\n")
    plain(root, "config", "include.path", "../more")


def _pipe_included(root: Path) -> None:
    os.mkfifo(root / "pipe")
    plain(root, "config", "include.path", "../pipe")


def _hook(root: Path) -> None:
    for name in ("post-index-change", "post-checkout", "reference-transaction"):
        shutil.copy(program(root), root / ".git/hooks" / name)
    touched(root)


def _attributes_of_the_clone_alone(root: Path) -> None:
    configured("filter.x.clean=PROGRAM")(root)
    (root / ".git/info/attributes").write_text("* filter=x\n")


def _submodule(root: Path) -> None:
    inner = root / "iic/inner"
    inner.mkdir()
    plain(inner, "init", "-q")
    (inner / "b.py").write_text("")
    plain(inner, "add", "-A")
    plain(inner, "commit", "-qm", "1")
    plain(root, "add", "-A")
    plain(root, "commit", "-qm", "2")
    plain(inner, "config", "core.fsmonitor", program(root))


def _promised(root: Path) -> None:
    """An object that is missing, and a remote that promises it."""
    name = plain(root, "rev-parse", f"HEAD:{CODE}")
    (root / ".git/objects" / name[:2] / name[2:]).unlink()


TRICKS = [
    Trick("core.fsmonitor", configured("core.fsmonitor=PROGRAM"), ("status",)),
    Trick(
        "a filter of the tree's attributes",
        configured("filter.x.clean=PROGRAM", "filter.x.required=true", attributes="* filter=x\n"),
        ("status",),
    ),
    Trick(
        "a filter that stays open",
        configured("filter.x.process=PROGRAM", attributes="* filter=x\n"),
        ("status",),
    ),
    Trick("a filter of .git/info/attributes", _attributes_of_the_clone_alone, ("status",)),
    Trick(
        "attributes of another file",
        configured(
            "filter.x.clean=PROGRAM",
            "core.attributesFile=../attributes",
            also=lambda root: (root.parent / "attributes").write_text("* filter=x\n") and None,
        ),
        None,
    ),
    Trick(
        "an external diff",
        configured(
            "diff.external=PROGRAM", also=lambda root: (root / CODE).write_text("x = 2\n") and None
        ),
        ("diff",),
    ),
    Trick(
        "a textconv",
        configured(
            "diff.x.textconv=PROGRAM",
            attributes="* diff=x\n",
            also=lambda root: (root / CODE).write_text("x = 2\n") and None,
        ),
        ("diff",),
    ),
    Trick("a pager", configured("core.pager=PROGRAM"), None),
    Trick("include.path", _included, ("status",)),
    Trick("includeIf", configured("includeIf.gitdir:/.path=../more", also=_included), ("status",)),
    Trick("include.path to a pipe", _pipe_included, None),
    Trick("hooks", _hook, ("update-index", "--refresh")),
    Trick("core.hooksPath", configured("core.hooksPath=../..", also=_hook), None),
    Trick("a submodule's fsmonitor", _submodule, ("status",)),
    Trick(
        "a missing object that a remote promises",
        configured(
            "core.repositoryformatversion=1",
            "extensions.partialClone=origin",
            "remote.origin.promisor=true",
            "remote.origin.url=ext::PROGRAM",
            "protocol.ext.allow=always",
            also=_promised,
        ),
        ("cat-file", "blob", f"HEAD:{CODE}"),
    ),
    Trick("aliases", configured("alias.st=!PROGRAM", "alias.ls-tree=!PROGRAM"), ("st",)),
    Trick(
        "a program for signatures",
        configured("gpg.program=PROGRAM", "log.showSignature=true", "gpg.ssh.program=PROGRAM"),
        None,
    ),
    Trick(
        "programs for the network",
        configured("core.sshCommand=PROGRAM", "core.askPass=PROGRAM", "credential.helper=PROGRAM"),
        None,
    ),
    Trick("an editor", configured("core.editor=PROGRAM", "sequence.editor=PROGRAM"), None),
    Trick("core.worktree", configured("core.worktree=/"), None),
    Trick(
        "settings of a worktree",
        configured(
            "core.repositoryformatversion=1",
            "extensions.worktreeConfig=true",
            also=lambda root: (
                (root / ".git/config.worktree").write_text(f"[core]\nfsmonitor = {program(root)}\n")
                and None
            ),
        ),
        ("status",),
    ),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of one commit; read only."""
    root = tmp_path_factory.mktemp("git") / "clone"
    (root / "iic").mkdir(parents=True)
    (root / CODE).write_text("x = 1\n")
    (root / "requirements.lock").write_text("lock\n")
    plain(root, "init", "-q", "--template=")
    plain(root, "add", "-A")
    plain(root, "commit", "-qm", "1")
    for name in ("hooks", "info"):
        (root / ".git" / name).mkdir(exist_ok=True)
    return root


@pytest.fixture
def clone(made: Path, tmp_path: Path) -> Path:
    """The same to do anything to."""
    return Path(shutil.copytree(made, tmp_path / "clone"))


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.name)
def test_git_runs_nothing_that_the_clone_names(clone: Path, trick: Trick) -> None:
    trick.act(clone)
    commit = next((clone / ".git/refs/heads").iterdir()).read_text().strip()
    marker = clone.parent / MARKER
    start = time.monotonic()
    state = code_state(clone)
    assert state.commit == commit and state.dirty is not None
    assert CODE in tracked_files(clone, "iic")
    assert tracked_content(Path("requirements.lock"), clone) == b"lock\n"
    tracked_content(Path(CODE), clone)
    assert not marker.exists()
    assert time.monotonic() - start < 10
    if trick.plainly is not None:
        plain(clone, *trick.plainly, check=False)
        assert marker.exists(), "this version of git does not run it: the test shows nothing"


def _hidden_edit(*flags: str) -> Act:
    def act(root: Path) -> None:
        plain(root, "update-index", *flags, CODE)
        (root / CODE).write_text("x = 2\n")

    return act


def _same_size_and_time(root: Path) -> None:
    before = (root / CODE).stat()
    (root / CODE).write_text("x = 2\n")
    os.utime(root / CODE, ns=(before.st_atime_ns, before.st_mtime_ns))
    plain(root, "config", "core.trustctime", "false")


def _replaced(root: Path) -> None:
    """HEAD shown as another commit, which has the edit."""
    head = plain(root, "rev-parse", "HEAD")
    (root / CODE).write_text("x = 2\n")
    plain(root, "commit", "-qam", "2")
    plain(root, "replace", head, "HEAD")
    plain(root, "reset", "-q", "--soft", head)


def _unseen(name: str) -> Act:
    def act(root: Path) -> None:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
        (root / ".git/info/exclude").write_text("*\n")
        (root / ".gitignore").write_text("*\n")

    return act


def _pipe(root: Path) -> None:
    (root / CODE).unlink()
    os.mkfifo(root / CODE)


def _linked(root: Path) -> None:
    shutil.move(root / CODE, root / "elsewhere.py")
    (root / CODE).symlink_to("../elsewhere.py")


LIES: list[tuple[str, Act, str | None]] = [
    ("assume-unchanged", _hidden_edit("--assume-unchanged"), CODE),
    ("skip-worktree", _hidden_edit("--skip-worktree"), CODE),
    ("size and time of the file that it was", _same_size_and_time, CODE),
    ("a commit that stands for another", _replaced, CODE),
    ("a module that is to be ignored", _unseen("iic/b.py"), "iic/b.py"),
    ("bytecode without a source", _unseen("iic/b.pyc"), "iic/b.pyc"),
    ("a package that hides a module", _unseen("iic/a/__init__.py"), "iic/a/__init__.py"),
    ("a pipe in place of a module", _pipe, CODE),
    ("a link in place of a module", _linked, CODE),
    ("a submodule", _submodule, "iic/inner"),
    ("a module that is gone", lambda root: (root / CODE).unlink(), CODE),
    ("bytecode in its folder", _unseen("iic/__pycache__/a.cpython-311.pyc"), None),
    ("what an editor leaves", _unseen("iic/.a.py.swp"), None),
]


@pytest.mark.parametrize(("act", "path"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_an_edit_cannot_be_hidden(clone: Path, act: Act, path: str | None) -> None:
    assert code_state(clone).dirty is False
    act(clone)
    assert code_state(clone).dirty is (path is not None)
    assert (path in git.differing(clone, "iic")) if path else not git.differing(clone, "iic")


def test_a_commit_whose_objects_are_others_is_refused(clone: Path) -> None:
    (clone / CODE).write_text("x = 2\n")
    honest = clone / ".git/objects"
    tree = plain(clone, "rev-parse", "HEAD:iic")
    plain(clone, "commit", "-qam", "2")
    forged = plain(clone, "rev-parse", "HEAD:iic")
    plain(clone, "reset", "-q", "--soft", "HEAD~1")
    (honest / tree[:2] / tree[2:]).unlink()
    shutil.copy(honest / forged[:2] / forged[2:], honest / tree[:2] / tree[2:])
    assert zlib.decompress((honest / tree[:2] / tree[2:]).read_bytes()).startswith(b"tree ")
    with pytest.raises(git.GitUnknown, match=rf"{tree} is (not what its name says|missing)"):
        git.differing(clone, "iic")
    assert code_state(clone).commit is None


@pytest.mark.parametrize("extra", [[], ["--object-format=sha256"]], ids=["sha1", "sha256"])
def test_worktrees_and_other_formats_are_read(tmp_path: Path, extra: list[str]) -> None:
    main, other = tmp_path / "main", tmp_path / "other"
    (main / "iic").mkdir(parents=True)
    (main / CODE).write_text("x = 1\n")
    plain(main, "init", "-q", *extra)
    plain(main, "add", "-A")
    plain(main, "commit", "-qm", "1")
    plain(main, "worktree", "add", "-q", str(other))
    (other / CODE).write_text("x = 2\n")
    plain(other, "commit", "-qam", "2")
    plain(other, "pack-refs", "--all")
    assert code_state(other).commit == plain(other, "rev-parse", "HEAD")
    assert code_state(main).commit == plain(main, "rev-parse", "HEAD") != code_state(other).commit
    assert not code_state(other).dirty and not code_state(main).dirty


def test_git_is_called_in_one_place() -> None:
    starts = re.compile(r"""["']git["'],""")
    sources = {path for path in (ROOT / "iic").rglob("*.py") if starts.search(path.read_text())}
    assert {path.relative_to(ROOT).as_posix() for path in sources} == {
        "iic/provenance/git.py",
        "iic/own/doctor.py",  # looks whether it is installed
    }
