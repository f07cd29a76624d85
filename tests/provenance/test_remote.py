"""What `iic restore` says where DVC has nothing to bring, or cannot."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance import remote
from iic.provenance.remote import Pulled, RestoreError, pull
from iic.provenance.restore import restore
from iic.provenance.snakemake_lock import LOCKS, Busy
from tests.conftest import ROOT

LOCK = "stages:\n  runs@smoke: {cmd: a}\n  runs@mini: {cmd: a}\n  data@digits: {cmd: a}\n"
TWO = "remote.lab.url=/a\nremote.cloud.url=s3://b\ncore.analytics=false\n"


@pytest.fixture
def plan() -> Plan:
    return load_plan("smoke", ROOT / "params")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A root that looks like one with DVC."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.lock").write_text(LOCK)
    return tmp_path


def answering(
    monkeypatch: pytest.MonkeyPatch, config: str, **answers: tuple[int, str]
) -> list[tuple[str, ...]]:
    """Have DVC say what is given, by its command; returns the list of what it was asked."""
    asked: list[tuple[str, ...]] = []

    def answer(root: Path, *arguments: str) -> CompletedProcess[str]:
        asked.append(arguments)
        status, said = (0, config) if arguments[0] == "config" else answers[arguments[0]]
        return CompletedProcess(arguments, status, said, "")

    monkeypatch.setattr(remote, "call_dvc", answer)
    return asked


def test_without_dvc_its_lock_or_its_package_nothing_is_pulled_and_it_is_said_why(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for make, part in (
        (lambda: None, "there is no .dvc/"),
        (lambda: (tmp_path / ".dvc").mkdir(), "there is no dvc.lock"),
        (lambda: (tmp_path / "dvc.lock").write_text(LOCK), "dvc is not installed here"),
    ):
        make()
        pulled = pull(plan, tmp_path)
        assert pulled.from_remote is None and part in pulled.reason
        with pytest.raises(RestoreError, match=rf"--remote lab: .*{part}"):
            pull(plan, tmp_path, "lab")
        with pytest.raises(
            RestoreError, match=rf"no results here, and DVC brought none \(.*{part}"
        ):
            restore(plan, tmp_path)


@pytest.mark.parametrize(
    ("config", "named", "used"),
    [
        ("remote.lab.url=/a\n", None, "lab"),
        (TWO + "core.remote=cloud\n", None, "cloud"),
        (TWO + "core.remote=cloud\n", "lab", "lab"),
    ],
)
def test_which_remote_is_asked_and_for_what(
    plan: Plan, clone: Path, monkeypatch: pytest.MonkeyPatch, config: str, named: str, used: str
) -> None:
    asked = answering(monkeypatch, config, pull=(0, "Everything is up to date."))
    assert pull(plan, clone, named) == Pulled(used)
    # stages of this scale and of its data alone
    stages = ("runs@smoke", "data@digits")
    assert asked[-1] == ("pull", "--allow-missing", "--remote", used, *stages)


def test_a_remote_that_is_none_is_a_clear_error(
    plan: Plan, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, TWO)
    with pytest.raises(RestoreError, match=r"known here: lab, cloud\n  did you mean: lab\?\n"):
        pull(plan, clone, "lap")
    with pytest.raises(RestoreError, match=r"several DVC remotes and no default.*--remote"):
        pull(plan, clone)
    answering(monkeypatch, "core.analytics=false\n")
    assert "no DVC remote is configured" in pull(plan, clone).reason
    with pytest.raises(RestoreError, match="none is configured here\n  remedy: dvc remote add lab"):
        pull(plan, clone, "lab")


def test_a_remote_that_lacks_files_brings_the_others(
    plan: Plan, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = (1, "ERROR: failed to transfer 'ab' - no such file\n2 files failed to download")
    asked = answering(monkeypatch, "remote.lab.url=/a\n", pull=lacking, checkout=(0, ""))
    pulled = pull(plan, clone)
    assert pulled.from_remote == "lab" and "push --remote lab" in pulled.reason
    assert asked[-1][:2] == ("checkout", "--allow-missing")
    nothing = (0, "WARNING: Some of the cache files do not exist neither locally nor on remote.")
    answering(monkeypatch, "remote.lab.url=/a\n", pull=nothing)
    assert "lacks some of what dvc.lock names" in pull(plan, clone).reason


def test_what_dvc_fails_at_is_passed_on(
    plan: Plan, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = (255, "ERROR: unexpected error - s3 is supported, but requires 'dvc-s3'")
    answering(monkeypatch, "remote.cloud.url=s3://b\n", pull=wrong)
    with pytest.raises(RestoreError, match=r"'cloud' failed:\n.*dvc-s3(.|\n)*--no-pull"):
        pull(plan, clone)


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nstages:\n=======\n", "", "[]", "schema: '2.0'\n"])
def test_a_lock_file_with_conflicts_is_a_clear_error(
    plan: Plan, clone: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    answering(monkeypatch, "remote.lab.url=/a\n")
    (clone / "dvc.lock").write_text(text)
    with pytest.raises(RestoreError, match=r"^dvc.lock: cannot be read: (.|\n)*docs/dvc.md"):
        pull(plan, clone)


def test_nothing_is_restored_while_a_snakemake_holds_the_clone(plan: Plan, clone: Path) -> None:
    (clone / LOCKS).mkdir(parents=True)
    (clone / LOCKS / "0.input.lock").touch()
    with pytest.raises(Busy, match="restore brings nothing back until it has ended"):
        restore(plan, clone)


def test_a_remote_without_pulling_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, ["restore", "--no-pull", "--remote", "lab"])
    assert isinstance(done.exception, IICError)
    assert "--no-pull asks no remote" in str(done.exception)
