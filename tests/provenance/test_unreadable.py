"""The audit reads files of the clone alone: what would hang it, or show others' files, is named."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import Plan, load_plan
from iic.provenance.audit import files
from iic.provenance.audit.report import AuditReport
from iic.provenance.audit.run import audit, verify
from iic.provenance.audit.tree import Tree
from iic.records.files import RecordError, read_record, regular_file
from iic.records.receipt import Receipt
from tests.provenance.crate_helpers import LAPTOP

SECRET = "a private line of somebody else"
CSV, RUN = LAPTOP / "tables/table_1.csv", LAPTOP / "runs/mnist/kmeans/seed0"
MODULE = Path("iic/evaluate/metrics.py")
NO_UTF_8 = LAPTOP / "tables" / os.fsdecode(b"\xff\xfe.csv")


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def a_link(target: str) -> Callable[[Path], None]:
    return lambda path: os.symlink(target, path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(path.parent, os.O_RDONLY)
        one.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def _endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_text("")


ROWS: list[tuple[str, Path, Callable[[Path], object], str]] = [
    ("a table that is a pipe", CSV, os.mkfifo, "a pipe, and no file"),
    ("a table that links to /dev/zero", CSV, a_link("/dev/zero"), "no file on a disk"),
    ("a table that links to a private file", CSV, a_link("../../../../private"), "a link to"),
    ("a table that links to nothing", CSV, a_link("nowhere"), "which is not there"),
    ("a table that links to itself", CSV, a_link(CSV.name), "cannot be read"),
    ("a table that is a folder", CSV, _folder, "a folder where a file belongs"),
    ("a table that is a socket", CSV, _socket, "a socket, and no file"),
    ("a table of a terabyte", CSV, _endless, "the most that is read"),
    ("a receipt that is a pipe", RUN / "run.json", os.mkfifo, "a pipe, and no file"),
    ("a history that is a pipe", RUN / "history.jsonl", os.mkfifo, "a pipe, and no file"),
    ("a run that links out of the clone", RUN, a_link("../../../../../.."), "a link to"),
    ("the scale as a link", LAPTOP, a_link("../.."), "a link to"),
    ("a pipe that no job makes", LAPTOP / "tables/x.csv", os.mkfifo, "a pipe, and no file"),
    ("a pipe whose name is not UTF-8", NO_UTF_8, os.mkfifo, "a pipe, and no file"),
    ("raw data that are a pipe", Path("data/raw/mnist/x"), os.mkfifo, "a pipe, and no file"),
    ("raw data without an end", Path("data/raw/mnist/x"), a_link("/proc/self/maps"), "on a disk"),
    ("a module that is a pipe", MODULE, os.mkfifo, "a pipe, and no file"),
    ("a module from elsewhere", MODULE, a_link("/etc/passwd"), "a link to"),
    ("the lock file as a device", Path("requirements.lock"), a_link("/dev/zero"), "on a disk"),
]  # fmt: skip


@pytest.fixture(scope="module")
def clone(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("unreadable") / "clone"
    shutil.copytree(measured, copy, copy_function=os.link)
    (copy.parent / "private").write_text(SECRET)
    return copy


@pytest.fixture
def here(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(clone)
    return clone


@pytest.fixture
def spoilt(
    here: Path, measured: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Plan, Path]]:
    """The plan of the clone, one path of which is made something else; mended in the end."""
    path, act = request.param
    plan = load_plan("laptop")
    path.parent.mkdir(parents=True, exist_ok=True)
    _gone(path)
    act(path)
    yield plan, path
    _gone(path)
    original = measured / path
    if original.is_dir():
        shutil.copytree(original, path, copy_function=os.link)
    elif original.is_file():
        os.link(original, path)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [((path, act), words) for _, path, act, words in ROWS],
    ids=[name for name, *_ in ROWS],
    indirect=["spoilt"],
)
def test_what_is_no_file_of_the_clone_is_named_and_not_read(
    spoilt: tuple[Plan, Path], words: str
) -> None:
    plan, path = spoilt
    report = audit(plan)
    assert report.verdict == "failed" and report.checked.files == 0
    (finding,) = report.findings
    name = os.fsencode(path).decode(errors="backslashreplace")
    assert (finding.kind, finding.path.encode().decode()) == ("unreadable", finding.path)
    assert finding.path.replace("\\udc", "\\x") == name and words in finding.message
    assert SECRET not in report.model_dump_json()
    assert [finding.kind for finding in verify(plan)] == ["unreadable"]
    with pytest.raises(RecordError, match="nothing was read here\n  remedy: "):
        files.refuse(plan)


def test_an_untouched_clone_has_nothing_of_the_kind(here: Path) -> None:
    tree = Tree(load_plan("laptop"))
    assert list(files.check(tree)) == []
    # a name that is not UTF-8, of a proper file, is a matter of the other checks
    NO_UTF_8.write_text("")
    try:
        assert list(files.check(tree)) == []
        (finding,) = verify(load_plan("laptop"))
        assert finding.kind == "orphan" and "udcff" in f"{finding.path}{finding.message}"
    finally:
        NO_UTF_8.unlink()


def test_settings_that_are_a_pipe_hang_no_verb(here: Path) -> None:
    os.mkfifo("params/scales/pipe.yaml")
    try:
        for verb in ("audit", "status", "report"):
            done = CliRunner().invoke(app, [verb, "--scale", "laptop"])
            assert "params/scales/pipe.yaml: is a pipe" in str(done.exception)
    finally:
        Path("params/scales/pipe.yaml").unlink()


def test_data_may_lie_on_another_disk(here: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/x.gz").write_bytes(b"x")
    Path("data").mkdir(exist_ok=True)
    shutil.rmtree("data/raw", ignore_errors=True)
    Path("data/raw").symlink_to(tmp_path / "raw")
    try:
        assert list(files.check(Tree(load_plan("laptop")))) == []
    finally:
        Path("data/raw").unlink()


def test_records_and_hashes_are_read_of_files_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(RecordError, match=r"x\.json: cannot be read: it is a pipe or a device"):
        read_record(tmp_path / "x.json", Receipt)
    for path in (tmp_path / "x.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError), regular_file(path):
            pass


def test_an_audit_that_is_broken_off_leaves_no_earlier_verdict(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Path("logs/laptop/audit.json")
    old.parent.mkdir(parents=True)
    old.write_text(json.dumps({"verdict": "verified"}))
    old.with_suffix(".html").write_text("verified")

    def broken(*_: object, **__: object) -> AuditReport:
        raise KeyboardInterrupt

    monkeypatch.setattr("iic.provenance.audit.run.audit", broken)
    done = CliRunner().invoke(app, ["audit", "--scale", "laptop"])
    assert done.exit_code != 0
    assert not old.exists() and not old.with_suffix(".html").exists()


def test_a_time_without_a_zone_is_said_in_words(tmp_path: Path) -> None:
    content = {"scale": "laptop", "at": "2026-11-29T00:00:00", "verdict": "verified"}
    (tmp_path / "audit.json").write_text(json.dumps(content))
    with pytest.raises(RecordError, match="timezone"):
        read_record(tmp_path / "audit.json", AuditReport)
