"""What the tests of the audit share: looking, editing, forging."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit.report import AuditReport, Finding
from iic.provenance.audit.run import audit, verify
from iic.provenance.jobs import Job
from iic.records.files import read_record, sha256_file, write_record
from iic.records.receipt import Acceptance, Receipt
from tests.conftest import SCALE

if TYPE_CHECKING:
    from iic.params.datasets import Dataset
    from iic.params.evaluation import EvaluationSettings
    from iic.records.evaluation import Evaluation
    from iic.records.paths import RunPaths

RESULTS = Path(f"results/{SCALE}")
RUNS = RESULTS / "runs/digits"
ARTIFACTS = RESULTS / "artifacts/digits"
TABLE = RESULTS / "tables/table_1.csv"
PARTS = ("data", "iic/engine", "iic/publish", "params", "requirements.lock", "results")
"""Parts of a clone that the cases change."""


@cache
def _remembered() -> list[tuple[str, Callable[..., Any]]]:
    """The dearest computations of an audit, each done once for the same content."""
    from iic.evaluate.run import evaluate_run
    from iic.publish.architectures import layers

    scores: dict[str, Evaluation] = {}

    def scored(
        run: RunPaths, settings: EvaluationSettings, dataset: Dataset, root: Path = Path()
    ) -> Evaluation:
        digests = [sha256_file(root / path) for path in (run.receipt, run.assignments)]
        key = repr([run, settings, dataset, *digests])
        if key not in scores:
            scores[key] = evaluate_run(run, settings, dataset, root)
        return scores[key]

    return [
        ("iic.provenance.audit.metrics.evaluate_run", scored),
        ("iic.publish.architectures.layers", cache(layers)),
    ]


def examine() -> AuditReport:
    with pytest.MonkeyPatch.context() as patch:
        for name, function in _remembered():
            patch.setattr(name, function)
        return audit(load_plan(SCALE))


def failures(report: AuditReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.level == "failure"]


def named(
    findings: Iterable[Finding], path: Path | str, kind: str, *words: str, level: str = "failure"
) -> None:
    """`findings` has a finding of that kind and level on `path`, whose message has the words."""
    findings = list(findings)
    there = [finding for finding in findings if (finding.path, finding.kind) == (str(path), kind)]
    assert there, [(finding.path, finding.kind, finding.message) for finding in findings]
    assert {finding.level for finding in there} == {level}
    text = " ".join(finding.message for finding in there)
    for word in words:
        assert word in text, text


def caught(path: Path | str, kind: str, *words: str) -> list[Finding]:
    """The whole audit fails and names `path`."""
    report = examine()
    assert (report.verdict, report.exit_status) == ("failed", 1)
    named(failures(report), path, kind, *words)
    return failures(report)


def seen(path: Path | str, kind: str, *words: str) -> list[Finding]:
    """The part of the audit that looks at files and receipts alone (the quick one) names `path`."""
    findings = verify(load_plan(SCALE))
    named(findings, path, kind, *words)
    return findings


def flip(path: Path, position: int | None = None) -> None:
    """Change one bit of a byte, by default of the one in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.write_bytes(content)


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that has to be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def receipt_of(path: Path) -> Path:
    """The receipt that vouches for a file."""
    if path.parent.name == "raw" or path.parents[1].name == "raw":
        return path.parent / "files.run.json"
    if path.parents[1].name == "prepared":
        return path.parent / "data.run.json"
    if path.name in ("assignments.parquet", "history.jsonl"):
        return path.parent / "run.json"
    if path.is_relative_to(RESULTS / "artifacts"):
        return RESULTS / "runs" / path.parent.relative_to(RESULTS / "artifacts") / "run.json"
    return path.with_name(f"{path.name.split('.')[0]}.run.json")


def forge(receipt: Path, **update: Any) -> None:
    """Edit a receipt and seal it again, as who knows the code would."""
    record = read_record(receipt, Receipt)
    write_record(receipt, record.model_copy(update=update).sealed())


def vouch(*paths: Path) -> None:
    """Make each file's receipt name the content that the file now has."""
    for path in paths:
        record = read_record(receipt_of(path), Receipt)
        outputs = [
            output.model_copy(update={"sha256": sha256_file(path), "size": path.stat().st_size})
            if output.path == str(path)
            else output
            for output in record.outputs
        ]
        forge(receipt_of(path), outputs=outputs)


def forge_acceptance(path: Path, job: Job, changed: list[str]) -> None:
    """An acceptance of `job` as it is now, written into its receipt by hand."""
    forged = Acceptance(
        fingerprint=fingerprint.fingerprint(job).value,
        because="trust me",
        changed=changed,
        commit=None,
        at=datetime.now(UTC),
    )
    receipt = read_record(path, Receipt)
    write_record(path, receipt.model_copy(update={"acceptances": [forged]}))


def swap(first: Path, other: Path) -> None:
    """Exchange two files or folders."""
    aside = first.with_name(f"{first.name}.aside")
    first.rename(aside)
    other.rename(first)
    aside.rename(other)


def state(root: Path) -> Mapping[Path, tuple[int, int]]:
    """Size and time of every file in the parts of a clone that the cases change."""
    files = {}
    for part in PARTS:
        top = root / part
        for path in top.rglob("*") if top.is_dir() else [top]:
            if (path.is_symlink() or path.is_file()) and "__pycache__" not in path.parts:
                seen = path.lstat()
                files[path.relative_to(root)] = (seen.st_size, seen.st_mtime_ns)
    return files


def undo(root: Path, original: Path, want: Mapping[Path, tuple[int, int]]) -> None:
    """Make the clone what the original, whose state is `want`, is; file by file."""
    have = state(root)
    for path in have.keys() - want.keys():
        (root / path).unlink()
    for path, seen in want.items():
        if have.get(path) != seen:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            # nothing is written through a link
            (root / path).unlink(missing_ok=True)
            shutil.copy2(original / path, root / path)
