"""``iic audit --from-git``: a commit is written out by its objects, and nothing stays behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import load_plan
from iic.provenance import fingerprint, git
from iic.provenance.audit.commit import checked_out
from iic.provenance.audit.tree import Tree
from iic.provenance.code import roots
from iic.provenance.environment import code_state
from iic.provenance.jobs import train
from tests.provenance.test_git import plain

Act = Callable[[Path], object]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits of code, a setting and a link; the work tree has something else."""
    root = tmp_path / "clone"
    for name, text in (("iic/a.py", "x = 1\n"), ("params/b.yaml", "b: 1\n")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    (root / "iic/c.py").symlink_to("a.py")
    (root / ".gitattributes").write_text("* export-ignore\n*.py filter=evil eol=crlf\n")
    plain(root, "init", "-q")
    plain(root, "add", "-A")
    plain(root, "commit", "-qm", "1")
    (root / "iic/a.py").write_text("x = 2\n")
    plain(root, "commit", "-qam", "2")
    plain(root, "config", "filter.evil.smudge", "touch evil; cat")
    (root / "iic/a.py").write_text("x = 3\n")
    monkeypatch.chdir(root)
    return root


def everything(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in root.rglob("*")}


@pytest.mark.parametrize(("name", "text"), [("HEAD", "x = 2\n"), ("HEAD~1", "x = 1\n")])
def test_the_files_are_those_of_the_commit(clone: Path, name: str, text: str) -> None:
    before = everything(clone)
    with checked_out(name) as folder:
        assert Path.cwd().samefile(folder)
        assert Path("iic/a.py").read_text() == text == Path("iic/c.py").read_text()
        assert Path("iic/c.py").is_symlink() and Path("params/b.yaml").is_file()
        code = code_state()
        assert (code.commit, code.dirty) == (plain(clone, "rev-parse", name), False)
        assert len(git.ask(folder, "log", "--format=%H").split()) == 2 - (name == "HEAD~1")
    assert Path.cwd() == clone and not folder.exists()
    assert everything(clone) == before


def test_a_worktree_of_a_clone_has_commits_too(clone: Path, tmp_path: Path) -> None:
    plain(clone, "worktree", "add", "-q", str(tmp_path / "other"), "HEAD~1")
    with checked_out("HEAD", tmp_path / "other"):
        assert Path("iic/a.py").read_text() == "x = 1\n"
        assert code_state().commit == plain(clone, "rev-parse", "HEAD~1")


@pytest.mark.parametrize(
    ("paths", "error"),
    [
        (["../x"], git.GitUnknown),
        ([".git/x"], git.GitUnknown),
        (["a/.GIT"], git.GitUnknown),
        (["a", "a/x"], OSError),  # the first one is a link
    ],
)
def test_nothing_is_written_elsewhere(
    clone: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], error: type[Exception]
) -> None:
    blob = plain(clone, "rev-parse", "HEAD:iic/a.py")
    entries = {path: ("100644", blob) for path in paths}
    if len(paths) > 1:
        entries[paths[0]] = ("120000", blob)
    before = everything(clone.parent)
    monkeypatch.setattr(git, "committed", lambda *_, **__: entries)
    with pytest.raises(error), checked_out("HEAD"):
        raise AssertionError
    assert everything(clone.parent) == before


@pytest.mark.parametrize("name", ["nowhere", "--output=evil", "HEAD:iic/a.py"])
def test_what_names_no_commit_is_refused(clone: Path, name: str) -> None:
    with pytest.raises(git.GitUnknown), checked_out(name):
        raise AssertionError
    assert not (clone / "evil").exists()


def test_the_code_of_the_commit_counts_and_what_is_computed_here_may_differ(
    laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train("laptop", "mnist/kmeans", 0)
    now = fingerprint.fingerprint(job).value
    path = laptop / "iic/methods/kmeans.py"
    path.write_text(path.read_text() + "\n\ndef unused() -> None:\n    return\n")
    settings = path.read_text().replace("return Outcome(", "return Outcome(\n        steps=0,", 1)
    assert settings != path.read_text()
    path.write_text(settings)
    tree = Tree(load_plan("laptop"), source=laptop)
    there = tree.current(job)
    assert there.value != now == fingerprint.fingerprint(job).value
    receipt = tree.receipt(str(job.receipt))
    assert receipt is not None
    same = receipt.model_copy(update={"fingerprint": there})
    assert tree.drift(job, same) == ([], None) and tree.differs(job, same)
    assert not Tree(load_plan("laptop")).drift(job, same)[0] == []
    with roots.code_in(None):
        assert fingerprint.fingerprint(job).value == now


def test_the_command_line_writes_nothing(laptop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(laptop, "init", "-q")
    plain(laptop, "add", "-A")
    plain(laptop, "commit", "-qm", "results")
    shutil.rmtree("results")
    places: list[tuple[bool, object]] = []

    def examine(plan: object, **options: object) -> None:
        places.append((Path("results/laptop/tables").is_dir(), options["own_code"]))
        raise InterruptedError

    monkeypatch.setattr("iic.provenance.audit.run.audit", examine)
    before = everything(laptop)
    command = ["audit", "--scale", "laptop", "--from-git", "HEAD"]
    CliRunner().invoke(app, command)
    assert places == [(True, True)]
    assert everything(laptop) == before and os.getcwd() == str(laptop)
    for more in (["--rerun", "1"], ["--infer"], ["--write"]):
        refused = CliRunner().invoke(app, [*command, *more])
        assert "a commit has neither data nor weights" in str(refused.exception)
