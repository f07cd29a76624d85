"""Results of an older or a later version of the code: read, or refused with a remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from iic.cli.app import app
from iic.data.errors import DataError
from iic.data.load import load
from iic.engine.checkpoints import CheckpointError
from iic.engine.checkpoints import load as load_checkpoint
from iic.params.errors import IICError
from iic.params.runs import load_plan
from iic.provenance import jobs
from iic.provenance.audit.run import audit, verify
from iic.provenance.status import status
from iic.provenance.why import why
from iic.publish.tables import build
from iic.records import paths
from iic.records.files import RecordError, read_record, sha256_file, write_record
from iic.records.paths import RunPaths
from iic.records.receipt import FileRecord, Receipt
from tests.conftest import SCALE

PLACE = RunPaths(SCALE, "digits/kmeans", 0)
ADDED = (
    "seed", "precision", "deterministic", "stand_in", "sessions", "outcome", "acceptances",
    "schema_version",
)  # fmt: skip
"""Fields of a receipt that have a default, as those that a version adds must have."""


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def test_receipts_from_before_a_field_was_added_count_as_they_did(tree: Path) -> None:
    dropped = 0
    for path in [*Path("results").rglob("*run.json"), *Path("data").rglob("*run.json")]:
        content = json.loads(path.read_text())
        receipt = Receipt.model_validate_json(path.read_text())
        for name in ADDED:
            if getattr(receipt, name) == Receipt.model_fields[name].get_default(
                call_default_factory=True
            ):
                dropped += content.pop(name, None) is not None
        path.write_text(json.dumps(content))
    assert dropped > 100
    assert audit(load_plan(SCALE)).verdict == "verified"
    assert {training.state for training in status(load_plan(SCALE)).trainings} == {"done"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record.update(schema_version=2), "schema_version: 2, but this version"),
        (lambda record: record.update(container="x"), "container: Extra inputs are not permitted"),
    ],
    ids=["later", "unknown field"],
)
def test_a_receipt_of_another_version_is_named_with_a_remedy_wherever_it_is_met(
    tree: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    edit(PLACE.receipt, change)
    report = audit(load_plan(SCALE))
    assert report.verdict == "failed"
    told = [finding.message for finding in report.findings if finding.path == str(PLACE.receipt)]
    answer = why(jobs.train(SCALE, "digits/kmeans", 0))
    assert answer.status == "damaged"
    by_verb = CliRunner().invoke(app, ["evaluate", "--scale", SCALE, "--dataset", "digits"])
    assert isinstance(by_verb.exception, IICError)
    for text in (told[0], answer.reasons[0], str(by_verb.exception)):
        assert f"{PLACE.receipt}: {says}" in text
        assert "use that version" in text and "make it again" in text
    states = {
        (training.run, training.seed): training.state
        for training in status(load_plan(SCALE)).trainings
    }
    assert states["digits/kmeans", 0] == "stale"


def test_an_evaluation_of_a_later_version_makes_no_table(tree: Path) -> None:
    edit(PLACE.evaluation, lambda record: record.update(schema_version=2))
    with pytest.raises(RecordError, match=f"^{PLACE.evaluation}: schema_version: 2, but .*use tha"):
        build(load_plan(SCALE), "table_1")


@pytest.mark.parametrize("content", [b"not json", b'{"schema_version": 0, "passed": true}'])
def test_whatever_lies_in_place_of_an_audit_is_replaced(tree: Path, content: bytes) -> None:
    path = paths.audit_report(SCALE)
    path.write_bytes(content)
    refused = CliRunner().invoke(app, ["report", "--scale", SCALE])
    assert isinstance(refused.exception, IICError)
    assert str(refused.exception).startswith(f"{path}: ")
    assert str(refused.exception).endswith(f"\n  remedy: iic audit --scale {SCALE} --write")
    assert not jobs.report(SCALE).receipt.exists()
    done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--no-infer"])
    assert done.exit_code == 0, done.output
    assert json.loads(path.read_text())["verdict"] == "verified"
    assert CliRunner().invoke(app, ["report", "--scale", SCALE]).exit_code == 0


def replace_assignments(write: Callable[[Path], None]) -> None:
    """Other assignments, vouched for by the training's receipt."""
    write(PLACE.assignments)
    receipt = read_record(PLACE.receipt, Receipt)
    new = FileRecord(
        path=str(PLACE.assignments),
        sha256=sha256_file(PLACE.assignments),
        size=PLACE.assignments.stat().st_size,
    )
    outputs = [new if output.path == new.path else output for output in receipt.outputs]
    write_record(PLACE.receipt, receipt.model_copy(update={"outputs": outputs}).sealed())


@pytest.mark.parametrize(
    "write",
    [
        lambda path: pq.write_table(pa.table({"image": [0, 1], "cluster": [1, 2]}), path),
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
    ],
    ids=["other columns", "cut"],
)
def test_assignments_of_another_schema_are_named_with_a_remedy(
    tree: Path, write: Callable[[Path], None]
) -> None:
    replace_assignments(write)
    done = CliRunner().invoke(app, ["evaluate", "--scale", SCALE, "--dataset", "digits"])
    assert isinstance(done.exception, RecordError)
    text = str(done.exception)
    assert text.startswith(f"{PLACE.assignments}: no assignments: ")
    assert f"delete {PLACE.receipt} and run the workflow again" in text
    assert not paths.receipt_of(PLACE.evaluation).exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record.update(schema_version=2), "schema_version: 2, but this version"),
        (lambda record: record.pop("stand_in"), "stand_in: Field required"),
        (lambda record: record.update(mean=0.5), "mean: Extra inputs are not permitted"),
        (lambda record: record["images"].update(dtype="float32"), "images.dtype: Input should be"),
    ],
)
def test_prepared_data_of_another_version_are_refused_with_a_remedy(
    tree: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    manifest = paths.prepared_manifest("digits")
    edit(manifest, change)
    with pytest.raises(DataError, match=rf"{manifest}: {says}") as caught:
        load("digits")
    assert "remedy: `iic prepare --dataset digits` writes it anew" in str(caught.value)


@pytest.mark.parametrize("name", ["assignments.parquet", "history.jsonl", "evaluation.json"])
def test_what_was_cut_and_has_no_receipt_is_taken_for_nothing(tree: Path, name: str) -> None:
    """As a crash of the machine may leave it: the file at its place, but not all of it."""
    path = PLACE.folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    receipt = paths.receipt_of(path) if name == "evaluation.json" else PLACE.receipt
    receipt.unlink()
    findings = verify(load_plan(SCALE))
    assert (str(receipt), "missing") in {(finding.path, finding.kind) for finding in findings}
    if receipt == PLACE.receipt:
        done = CliRunner().invoke(app, ["evaluate", "--scale", SCALE, "--dataset", "digits"])
        assert str(done.exception) == f"{PLACE.receipt}: missing"
    else:
        with pytest.raises(RecordError, match=r"evaluation\.json: "):
            build(load_plan(SCALE), "table_1")


def test_a_clone_with_results_of_a_layout_from_before_is_told_so(tree: Path) -> None:
    """A folder that today's plan does not know is an orphan, and nothing is made from it."""
    old = PLACE.folder.with_name("run0")
    shutil.copytree(PLACE.folder, old)
    findings = verify(load_plan(SCALE))
    assert [(finding.kind, finding.path) for finding in findings] == [("orphan", str(old))]


def test_a_checkpoint_of_another_version_is_refused_with_a_remedy(tmp_path: Path) -> None:
    torch.save({"schema_version": 2, "fingerprint": "f"}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="checkpoint of schema 2, this version reads 1: move"):
        load_checkpoint(tmp_path, "f", {})
