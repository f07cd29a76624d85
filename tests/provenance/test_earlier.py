"""A job that only confirms an older receipt leaves it as it is, and nothing else does."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iic.cli import job as jobs
from iic.cli.job import job
from iic.provenance.earlier import earlier
from iic.provenance.fingerprint import value_of
from iic.records.files import read_record, write_record
from iic.records.receipt import Acceptance, Code, Fingerprint, Receipt

CHILD = Path("out/child.run.json")
OUTPUT = Path("out/child.txt")
PARENT = Path("data/parent.run.json")
CHECK = "logs/checks" / CHILD


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def fingerprint(rule: str, **settings: object) -> Fingerprint:
    return Fingerprint(
        value=value_of(rule, {}, settings, {}, None), code={}, settings=settings, data={}
    )


def parent(text: str = "data") -> None:
    """A job whose receipt is another each time, as that of data obtained anew is."""
    PARENT.unlink(missing_ok=True)
    with job(
        "prepare", {"dataset": "digits"}, fingerprint=fingerprint("prepare"), receipt_path=PARENT
    ) as work:
        Path("data").mkdir(exist_ok=True)
        Path("data/parent.txt").write_text(text)
        work.output(Path("data/parent.txt"))


def child(outcome: str = "found", text: str | None = None, **settings: object) -> bytes:
    """A training, as far as its receipt is concerned; the receipt's bytes."""
    with job(
        "train",
        {"run": "digits/iic"},
        fingerprint=fingerprint("train", **settings),
        receipt_path=CHILD,
        inputs=[Path("data/parent.txt")],
        parents=[PARENT],
        seed=0,
    ) as work:
        assert not CHILD.exists(), "it would vouch for files that are being replaced"
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(text or Path("data/parent.txt").read_text())
        work.output(OUTPUT)
        work.outcome["what"] = outcome
    return CHILD.read_bytes()


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with both receipts committed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("/data/\n/logs/\n")
    (tmp_path / "iic").mkdir()
    (tmp_path / "iic/code.py").write_text("CODE = 1\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "code")
    parent()
    child()
    git("add", ".")
    git("commit", "--quiet", "--message", "results")
    return tmp_path


def as_snakemake_does() -> None:
    CHILD.unlink()
    OUTPUT.unlink()


@pytest.mark.parametrize("before", [lambda: None, as_snakemake_does])
def test_a_receipt_that_is_confirmed_stays_byte_for_byte(
    before: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = CHILD.read_bytes()
    before()
    assert child() == first
    assert git("status", "--porcelain") == ""
    assert f"{CHILD}: made again with the same bytes; the receipt of" in caplog.text
    check = read_record(CHECK, Receipt)
    assert check.outputs == read_record(CHILD, Receipt).outputs
    assert check.timing.start > read_record(CHILD, Receipt).timing.end
    assert check.seal == check.digest


def test_a_receipt_outside_git_that_lies_there_stays_too() -> None:
    shutil.rmtree(".git")
    first = CHILD.read_bytes()
    assert child() == first
    as_snakemake_does()
    assert child() != first, "nobody knows the old one any more"


def test_data_made_anew_for_the_same_bytes_change_no_receipt() -> None:
    first, digest = CHILD.read_bytes(), read_record(PARENT, Receipt).digest
    parent()
    assert read_record(PARENT, Receipt).digest != digest
    assert child() == first


@pytest.mark.parametrize(
    "again",
    [
        lambda: (parent("other"), child()),
        lambda: child(text="other"),
        lambda: child(outcome="another"),
        lambda: child(k=4),
    ],
)
def test_other_inputs_outputs_outcomes_and_settings_make_another_receipt(
    again: Callable[[], object],
) -> None:
    first = CHILD.read_bytes()
    as_snakemake_does()
    again()
    assert CHILD.read_bytes() != first and not CHECK.exists()


def test_a_parent_in_the_results_must_be_the_very_same() -> None:
    receipt = read_record(PARENT, Receipt)
    elsewhere = Path("results/parent.run.json")
    arguments: dict[str, Any] = {
        "fingerprint": fingerprint("train"),
        "receipt_path": CHILD,
        "parents": [elsewhere],
    }
    kept = []
    for threads in (1, 1, 2):
        environment = receipt.environment.model_copy(update={"threads": threads})
        write_record(elsewhere, receipt.model_copy(update={"environment": environment}).sealed())
        with job("train", {"run": "digits/iic"}, **arguments):
            pass
        kept.append(CHILD.read_bytes())
    assert kept[0] == kept[1] != kept[2]


def test_an_accepted_receipt_stays_with_its_acceptance() -> None:
    receipt = read_record(CHILD, Receipt)
    accepted = Acceptance(
        fingerprint=fingerprint("train", new=1).value,
        because="a new default",
        changed=["settings new: (absent) -> 1"],
        commit=None,
        at=receipt.timing.end,
    )
    write_record(CHILD, receipt.model_copy(update={"acceptances": [accepted]}))
    first = CHILD.read_bytes()
    assert child(new=1) == first


@pytest.mark.parametrize(
    "forged",
    [
        {"seed": 7},
        {"fingerprint": fingerprint("train").model_copy(update={"settings": {"k": 3}})},
        {"code": Code(commit="0" * 40, dirty=False)},
    ],
)
def test_an_edited_receipt_does_not_stay(forged: dict[str, Any]) -> None:
    edited = read_record(CHILD, Receipt).model_copy(update=forged)
    if "fingerprint" in forged:  # whoever knows the code seals it again
        edited = edited.sealed()
    write_record(CHILD, edited)
    git("add", ".")
    first = CHILD.read_bytes()
    assert child() != first
    assert read_record(CHILD, Receipt).fingerprint == fingerprint("train")


def test_a_job_that_fails_leaves_no_receipt() -> None:
    as_snakemake_does()
    with pytest.raises(ZeroDivisionError):
        with job(
            "train", {"run": "digits/iic"}, fingerprint=fingerprint("train"), receipt_path=CHILD
        ):
            raise ZeroDivisionError
    assert not CHILD.exists() and not CHECK.exists()


def test_git_rm_makes_room_for_a_new_receipt() -> None:
    first = CHILD.read_bytes()
    git("rm", "--quiet", str(CHILD))
    assert child() != first


def test_a_dirty_receipt_gives_way_to_one_of_committed_code_unless_it_is_committed() -> None:
    code = Path("iic/code.py")
    git("rm", "--quiet", str(CHILD))
    code.write_text("CODE = 2\n")
    dirty = child()
    assert read_record(CHILD, Receipt).code.dirty is True
    git("checkout", "--quiet", "iic")
    clean = child()
    assert clean != dirty and read_record(CHILD, Receipt).code.dirty is False
    CHILD.write_bytes(dirty)
    git("add", ".")
    git("commit", "--quiet", "--message", "dirty")
    assert child() == dirty


def test_what_is_no_receipt_is_no_earlier_one() -> None:
    for content in (b"", b"{}", b"\xff", CHILD.read_bytes()[:-9]):
        CHILD.write_bytes(content)
        git("add", ".")
        assert earlier(CHILD) == []
    assert earlier(Path("out/none.run.json")) == []


def test_a_real_run_warns_once_of_uncommitted_code_by_name(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    root = request.config.rootpath
    shutil.copytree(root / "params", "params")
    git("add", ".")
    git("commit", "--quiet", "--message", "params")
    receipt = Path("out/x.run.json")

    def run(scale: str) -> list[str]:
        caplog.clear()
        with job(
            "evaluate", {"scale": scale}, fingerprint=fingerprint("evaluate"), receipt_path=receipt
        ):
            pass
        return [one.message for one in caplog.records if one.levelno == logging.WARNING]

    jobs._warn_of_uncommitted.cache_clear()
    assert run("laptop") == []
    jobs._warn_of_uncommitted.cache_clear()
    Path("iic/code.py").write_text("CODE = 2\n")
    Path("iic/new.py").write_text("")
    assert run("smoke") == [], "numbers of no real data"
    (said,) = run("laptop")
    assert "iic/code.py, iic/new.py" in said and "will say dirty" in said
    assert read_record(receipt, Receipt).code.dirty is True
    assert run("laptop") == [], "once a process"
    jobs._warn_of_uncommitted.cache_clear()
