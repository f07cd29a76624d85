"""Signatures: what is signed counts for its signer alone, as long as nothing of it is changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance.audit.report import AuditReport, Checked, Finding, conclude
from iic.provenance.audit.run import audit
from iic.provenance.audit.signed import Signers, check, signed_files, signers_of
from iic.provenance.audit.tree import Tree
from iic.provenance.signing import SigningError, sign, statement
from iic.records.receipt import Code
from tests.pages.pages_helpers import AT
from tests.provenance.crate_helpers import LAPTOP

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not here")

CSV = LAPTOP / "tables/table_1.csv"


def report(*findings: Finding, commit: str | None = "a" * 40) -> AuditReport:
    checked = Checked(jobs=27, files=72, cells=20, evaluations=9, tables=3)
    return conclude("laptop", AT, Code(commit=commit, dirty=False), checked, list(findings))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of alice and mallory, and a file of signers that names alice alone."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("alice", "mallory"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "signers").write_text(f"alice {(folder / 'alice.pub').read_text()}")
    return folder


@pytest.fixture(scope="module")
def signed(
    measured: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Plan]:
    """A clone of whose results alice has signed all."""
    clone = tmp_path_factory.mktemp("signed") / "clone"
    shutil.copytree(measured, clone)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        plan = load_plan("laptop")
        path = sign(statement(report(), signed_files(Tree(plan))), keys / "alice")
        content = json.loads(path.read_text())
        assert content["_type"] == "https://in-toto.io/Statement/v1"
        assert content["predicate"]["verdict"] == "verified"
        assert str(CSV) in {subject["name"] for subject in content["subject"]}
    return clone, plan


@pytest.fixture
def here(signed: tuple[Path, Plan], monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """The clone as the working directory; what a case changes is put back."""
    clone, plan = signed
    monkeypatch.chdir(clone)
    kept = {path: path.read_bytes() for path in (CSV, *Path("signatures/laptop").iterdir())}
    yield plan
    shutil.rmtree("signatures")
    Path("signatures/laptop").mkdir(parents=True)
    for path, content in kept.items():
        path.write_bytes(content)


def mallory(keys: Path) -> None:
    plan = load_plan("laptop")
    shutil.rmtree("signatures")
    sign(statement(report(), signed_files(Tree(plan))), keys / "mallory")


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def the(suffix: str) -> Path:
    return next(Path("signatures/laptop").glob(f"*{suffix}"))


def with_another_purpose(keys: Path) -> None:
    """A signature of alice, made for something else."""
    path = the(".json")
    the(".sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(keys / "alice"), str(path)]
    subprocess.run(command, check=True, capture_output=True)


Act = Callable[[Path], object]
CASES: list[tuple[str, Act, str, str, str]] = [
    ("nothing was touched", lambda keys: None, "note", "alice signed", "none are required"),
    ("a table was edited", lambda keys: edited(CSV, "IIC", "CII"), "failure",
     "have no signature", str(CSV)),
    ("somebody else signed", mallory, "failure", "have no signature", "run.json"),
    ("the statement was edited", lambda keys: edited(the(".json"), "verified", "drifted"),
     "failure", "not what was signed", "ssh-keygen"),
    ("the signature was cut", lambda keys: the(".sig").write_bytes(the(".sig").read_bytes()[:99]),
     "failure", "not what was signed", "ssh-keygen"),
    ("there is no signature", lambda keys: the(".sig").unlink(), "failure", "cannot be read",
     ".sig"),
    ("a signature for another purpose", with_another_purpose, "failure", "not what was signed", ""),
    ("a statement that is none", lambda keys: the(".json").write_text("{}"), "failure",
     "no statement of results", "subject"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("act", "level", "words", "more"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_signature_counts_for_what_was_signed(
    here: Plan, keys: Path, act: Act, level: str, words: str, more: str
) -> None:
    act(keys)
    findings = list(check(Tree(here), Signers(keys / "signers", required=True)))
    named = [finding for finding in findings if words in finding.message]
    assert named and {finding.level for finding in named} == {level}, findings
    if level == "failure":
        assert more in named[0].message
    else:
        assert {finding.level for finding in findings} == {"note"}
        (finding,) = findings
        assert f"over commit {'a' * 12}" in finding.message and "table_1" in finding.message
        assert f"{len(signed_files(Tree(here)))} of the" in finding.message


def test_without_being_required_an_absent_signature_is_a_note(here: Plan, keys: Path) -> None:
    shutil.rmtree("signatures")
    (finding,) = check(Tree(here), Signers(keys / "signers"))
    assert (finding.level, finding.kind) == ("note", "signature")
    Path("signatures/laptop").mkdir(parents=True)


@pytest.mark.long
def test_the_whole_audit_fails_for_want_of_a_signature(here: Plan, keys: Path) -> None:
    """Long: all other checks are made, too."""
    mallory(keys)
    told = audit(here, signers=Signers(keys / "signers", required=True))
    failed = [finding for finding in told.findings if finding.level == "failure"]
    assert told.exit_status == 1 and {finding.kind for finding in failed} == {"signature"}
    assert any("a key that" in finding.message for finding in told.findings)


def test_what_was_not_verified_is_not_signed() -> None:
    broken = Finding(level="failure", kind="altered", path="x", message="m")
    with pytest.raises(SigningError, match="not signed, since the audit says 'failed'"):
        statement(report(broken), {})
    with pytest.raises(SigningError, match="no commit"):
        statement(report(commit=None), {})
    with pytest.raises(IICError, match="--signers FILE"):
        signers_of(None, True)
