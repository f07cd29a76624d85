from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydantic import Field

from iic.cli.job import job
from iic.provenance.agreement import PlanChanged
from iic.provenance.fingerprint import value_of
from iic.records.files import RecordError, read_record, sha256_bytes
from iic.records.receipt import Fingerprint, Receipt

RECEIPT = Path("out/result.run.json")
WILDCARDS = {"dataset": "digits"}


def fingerprint(**settings: object) -> Fingerprint:
    value = value_of("prepare", {}, settings, {}, None)
    return Fingerprint(value=value, code={}, settings=settings, data={})


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("input")
    return tmp_path


def finish(**arguments: object) -> Receipt:
    """One job that copies its input."""
    given = {"fingerprint": fingerprint(k=3), "receipt_path": RECEIPT, "inputs": [Path("in.txt")]}
    with job("prepare", WILDCARDS, **(given | arguments)) as work:  # type: ignore[arg-type]
        Path("out").mkdir(exist_ok=True)
        shutil.copy("in.txt", "out/result.txt")
        work.output(Path("out/result.txt"))
        work.outcome = {"loss": [0.1 + 0.2, 1e-300]}
        work.precision = "float32"
    return read_record(RECEIPT, Receipt)


def test_a_receipt_says_what_was_read_done_and_written() -> None:
    receipt = finish(seed=7, threads=2, stand_in=True)
    digest = sha256_bytes(b"input")
    assert [(one.path, one.sha256, one.size) for one in receipt.inputs] == [("in.txt", digest, 5)]
    assert [(one.path, one.sha256) for one in receipt.outputs] == [("out/result.txt", digest)]
    assert (receipt.rule, receipt.wildcards, receipt.seed) == ("prepare", WILDCARDS, 7)
    assert receipt.fingerprint.settings == {"k": 3}
    assert receipt.stand_in and receipt.precision == "float32"
    assert receipt.environment.threads == 2
    assert receipt.environment.packages["torch"]
    assert receipt.environment.gpu is None
    assert receipt.timing.end >= receipt.timing.start
    assert receipt.timing.peak_memory_bytes > 1_000_000
    assert receipt.code.commit is None  # no git clone here
    assert receipt.seal == receipt.digest


def test_the_receipt_is_written_last_and_not_at_all_where_the_job_fails() -> None:
    finish()
    with pytest.raises(ZeroDivisionError):
        with job("prepare", WILDCARDS, fingerprint=fingerprint(), receipt_path=RECEIPT) as work:
            work.output(Path("out/result.txt"))
            assert not RECEIPT.exists(), "an old receipt vouches for files that are being replaced"
            raise ZeroDivisionError
    assert not RECEIPT.exists()
    assert not list(Path("out").glob(".*"))


def test_an_output_that_was_promised_and_is_missing_is_an_error() -> None:
    with pytest.raises(RecordError, match=r"prepare digits: output out/none\.txt is missing"):
        with job("prepare", WILDCARDS, fingerprint=fingerprint(), receipt_path=RECEIPT) as work:
            work.output(Path("out/none.txt"))
    assert not RECEIPT.exists()


@pytest.mark.parametrize("path", ["../in.txt", "/etc/hostname"])
def test_paths_stay_inside_the_clone(path: str) -> None:
    with pytest.raises(RecordError, match="outside the clone"):
        finish(inputs=[Path(path)])


def test_nothing_runs_when_the_plan_is_out_of_date() -> None:
    finish()
    before = RECEIPT.read_bytes()
    with pytest.raises(PlanChanged):
        finish(planned_fingerprint="0" * 64)
    assert RECEIPT.read_bytes() == before
    finish(planned_fingerprint=fingerprint(k=3).value)


def test_missing_inputs_and_parents_are_named() -> None:
    with pytest.raises(RecordError, match=r"input no\.txt is missing"):
        finish(inputs=[Path("no.txt")])
    with pytest.raises(RecordError, match=r"out/no\.run\.json: missing"):
        finish(parents=[Path("out/no.run.json")])


def test_a_child_names_its_parent_and_refuses_what_the_parent_did_not_write() -> None:
    parent = finish()
    child = Path("out/child.run.json")
    with job(
        "prepare",
        WILDCARDS,
        fingerprint=fingerprint(),
        receipt_path=child,
        inputs=[Path("out/result.txt")],
        parents=[RECEIPT],
    ):
        pass
    links = read_record(child, Receipt).parents
    assert [(one.path, one.digest) for one in links] == [(str(RECEIPT), parent.digest)]
    Path("out/result.txt").write_text("other")
    with pytest.raises(RecordError, match=r"out/result\.txt: changed after out/result\.run\.json"):
        with job(
            "prepare",
            WILDCARDS,
            fingerprint=fingerprint(),
            receipt_path=child,
            inputs=[Path("out/result.txt")],
            parents=[RECEIPT],
        ):
            pass


def test_a_digest_survives_the_disk_and_acceptances_and_shows_every_other_edit() -> None:
    receipt = finish()
    content = json.loads(RECEIPT.read_text())
    assert receipt.digest == receipt.seal
    accepted: dict[str, object] = {
        "fingerprint": "0" * 64, "because": "b", "changed": [], "commit": None,
        "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    for key, value, same in [
        ("acceptances", [accepted], True),
        ("seed", 3, False),
        ("wildcards", {"dataset": "mnist"}, False),
        ("outcome", {"loss": [0.3, 1e-300]}, False),
        ("inputs", [], False),
    ]:
        RECEIPT.write_text(json.dumps(content | {key: value}))
        assert (read_record(RECEIPT, Receipt).digest == receipt.digest) is same, key


def test_a_field_of_a_later_version_leaves_old_digests_alone() -> None:
    class Later(Receipt):
        container: str | None = None
        notes: list[str] = Field(default_factory=list)

    receipt = finish()
    assert read_record(RECEIPT, Later).digest == receipt.digest


def test_a_place_that_cannot_be_written_to_is_a_clear_error() -> None:
    Path("out").write_text("a file where a folder should be")
    with pytest.raises(RecordError, match=r"out/result\.run\.json: cannot be"):
        with job("prepare", WILDCARDS, fingerprint=fingerprint(), receipt_path=RECEIPT):
            pass
