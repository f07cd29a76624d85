from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iic.provenance.environment import (
    code_state,
    environment,
    package_versions,
    tracked_files,
)
from iic.provenance.git import GitUnknown
from iic.provenance.lock_file import lock_hash
from iic.records.files import sha256_bytes


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    # a hook that runs these tests exports GIT_DIR
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=root, env=clean, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "iic").mkdir()
    (tmp_path / "iic" / "a.py").write_text("x = 1\n")
    (tmp_path / "results").mkdir()
    git(tmp_path, "init", "-q")
    return tmp_path


def test_commit_and_dirty_flag(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_state(repository).commit is None
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    state = code_state(repository)
    assert (state.commit, state.dirty) == (git(repository, "rev-parse", "HEAD"), False)
    (repository / "results" / "x.json").write_text("{}")
    (repository / "notes.txt").write_text("draft")
    assert code_state(repository).dirty is False, "results and notes are not code"
    (repository / "iic" / "new.py").write_text("")
    assert code_state(repository).dirty is True, "a module that no commit has"
    (repository / "iic" / "new.py").unlink()
    (repository / "iic" / "a.py").write_text("x = 2\n")
    assert code_state(repository).dirty is True
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert code_state(repository).commit == state.commit


def test_a_copy_inside_another_repository_has_no_commit(repository: Path) -> None:
    state = code_state(repository / "iic")
    assert (state.commit, state.dirty) == (None, None)


def test_without_git_the_answer_is_unknown_and_not_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert code_state(tmp_path).commit is None
    assert f"noted as such ({tmp_path}: git cannot be asked: it is no git repository" in caplog.text
    with pytest.raises(GitUnknown, match="no git repository"):
        tracked_files(tmp_path, "results")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_state(tmp_path).commit is None
    git_folder = tmp_path / ".git"
    git_folder.mkdir()
    (git_folder / "HEAD").write_text("ref: refs/heads/main")
    with pytest.raises(GitUnknown, match="No such file or directory: 'git'"):
        tracked_files(tmp_path, "results")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_clone_of_somebody_else_is_known_all_the_same(repository: Path) -> None:
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    commit = git(repository, "rev-parse", "HEAD")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    refused = subprocess.run(["git", "status"], cwd=repository, capture_output=True, text=True)
    assert "dubious ownership" in refused.stderr
    assert code_state(repository).commit == commit
    assert tracked_files(repository, "iic") == {"iic/a.py"}


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    clone = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    (clone / "iic").mkdir(parents=True)
    (clone / "iic" / os.fsdecode(b"\xfe.py")).write_text("")
    git(clone, "init", "-q")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "1")
    assert code_state(clone).dirty is False
    assert tracked_files(clone, "iic") == {os.fsdecode(b"iic/\xfe.py")}


def test_versions_come_without_imports(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom iic.provenance.environment import environment\n"
        "found = environment(1)\nassert found.packages['torch'] and found.memory_bytes > 1e8\n"
        "assert found.cpu and found.gpu is None\n"
        "assert not {'torch', 'numpy', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert package_versions()["torch"].count(".") >= 2


def test_the_lock_file_is_known_by_its_hash(tmp_path: Path) -> None:
    assert lock_hash(tmp_path) == "absent"
    (tmp_path / "requirements.lock").write_bytes(b"torch==2\n")
    assert lock_hash(tmp_path) == sha256_bytes(b"torch==2\n")
    assert environment(3, tmp_path).lock == lock_hash(tmp_path)
    assert environment(3, tmp_path).threads == 3
