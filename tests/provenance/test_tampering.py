"""Tampering with a finished tree: each case is caught, and named by path and kind.

The tree is shared. After each case it is made what it was and has to verify again, so that no case
is caught by what another one left behind.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit import drift, plausibility
from iic.provenance.audit.contradictions import Contradictions
from iic.provenance.audit.inference import infer
from iic.provenance.audit.inferences import judged
from iic.provenance.audit.metrics import Metrics
from iic.provenance.audit.rebuild import Rebuild
from iic.provenance.audit.report import AuditReport, Finding
from iic.provenance.audit.run import verify, write
from iic.provenance.audit.tree import Tree
from iic.provenance.code import roots
from iic.provenance.jobs import train
from iic.records.files import read_record, sha256_file
from iic.records.paths import audit_report
from tests.conftest import ROOT, SCALE
from tests.provenance import consistent_forgeries, drift_cases, forgeries, stranger_cases
from tests.provenance.audit_helpers import RUNS, examine, failures, flip, named, state, undo
from tests.provenance.tampering_cases import CASES, RECEIPTS, Case

FEWEST = 25

assert forgeries and consistent_forgeries and stranger_cases and drift_cases, (
    "imported for the cases that they add"
)


@pytest.fixture(scope="module")
def shared(finished_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the finished tree as working directory, whose code and settings count."""
    copy = tmp_path_factory.mktemp("tampering") / "clone"
    shutil.copytree(finished_tree, copy, symlinks=True)

    @cache
    def hashed(path: Path, size: int, changed: int, inode: int) -> str:
        return sha256_file(path)

    def by_state(path: Path) -> str:
        """Two hundred cases read the same files: those that nobody touched are hashed once."""
        seen = path.stat()
        return hashed(path.resolve(), seen.st_size, seen.st_mtime_ns, seen.st_ino)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copy)
        patch.setattr("iic.provenance.audit.tree.sha256_file", by_state)
        patch.setattr(roots, "SOURCE", copy)
        fingerprint.forget()
        yield copy
    fingerprint.forget()


@pytest.fixture(scope="module")
def untouched(shared: Path, finished_tree: Path) -> Mapping[Path, tuple[int, int]]:
    assert state(shared) == state(finished_tree)
    return state(finished_tree)


@pytest.fixture
def pristine(
    shared: Path, finished_tree: Path, untouched: Mapping[Path, tuple[int, int]]
) -> Iterator[Path]:
    """The shared tree, made what it was when the test ends; it then has to verify again."""
    yield shared
    undo(shared, finished_tree, untouched)
    fingerprint.forget()
    assert verify(load_plan(SCALE)) == []


def _drift() -> Iterable[Finding]:
    fingerprint.forget()
    tree = Tree(load_plan(SCALE))
    return [*drift.stale(tree), *drift.environment(tree)]


def _cross() -> Iterable[Finding]:
    tree = Tree(load_plan(SCALE))
    return [*Contradictions(tree).check(), *plausibility.check(tree)]


def _inference() -> Iterable[Finding]:
    """Of one run, in this process."""
    (run, seed) = "digits/iic", 0
    job = train(SCALE, run, seed)
    return judged(job, asdict(infer(load_plan(SCALE), run, seed)))


LOOK: dict[str, Callable[[], Iterable[Finding]]] = {
    "files": lambda: verify(load_plan(SCALE)),
    "metrics": lambda: Metrics(Tree(load_plan(SCALE))).check(),
    "rebuild": lambda: Rebuild(Tree(load_plan(SCALE))).check(),
    "drift": _drift,
    "cross": _cross,
    "inference": _inference,
    "all": lambda: failures(examine()),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tampering_is_caught_and_named(pristine: Path, case: Case) -> None:
    case.act()
    findings = list(LOOK[case.part]())
    kind = next(
        (
            finding.kind
            for finding in findings
            if finding.path == str(case.path) and finding.kind in case.kinds
        ),
        case.kinds[0],
    )
    named(findings, case.path, kind, *case.words, level=case.level)
    for path, other in case.also:
        named(findings, path, other)
    if case.alone:
        assert {finding.path for finding in findings} == {str(case.path)}


def test_there_are_many_distinct_cases() -> None:
    assert [
        name for name, number in Counter(case.name for case in CASES).items() if number > 1
    ] == []
    assert len({(case.path, case.kinds, case.act) for case in CASES}) == len(CASES) >= FEWEST
    kinds = {kind for case in CASES for kind in case.kinds}
    assert kinds == {
        "accepted", "altered", "chain", "contradiction", "environment", "implausible", "inference",
        "metrics", "misplaced", "missing", "orphan", "rebuild", "schema", "stale", "unreadable",
    }  # fmt: skip


def test_the_docs_say_how_many_cases_each_witness_catches() -> None:
    text = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", text, re.MULTILINE))
    counts = Counter(case.kinds[0] for case in CASES)
    assert {kind: int(number) for kind, number in table.items()} == dict(counts)


@pytest.mark.parametrize("what", RECEIPTS)
def test_no_bit_of_a_receipt_can_change_unnoticed(pristine: Path, what: str) -> None:
    path, _ = RECEIPTS[what]
    content = path.read_bytes()
    for position in random.Random(what).sample(range(len(content)), 6):
        flip(path, position)
        findings = verify(load_plan(SCALE))
        assert [finding for finding in findings if finding.path == str(path)], position
        path.write_bytes(content)


def test_a_forged_report_of_an_audit_does_not_survive_the_next_one(pristine: Path) -> None:
    flip(RUNS / "iic/seed0/assignments.parquet")
    report = examine()
    assert (report.verdict, report.exit_status) == ("failed", 1)
    forged = {"verdict": "verified", "exit_status": 0, "findings": []}
    path = write(report.model_copy(update=forged))
    assert read_record(path, AuditReport).verdict == "verified"
    assert write(examine()) == path == audit_report(SCALE)
    assert read_record(path, AuditReport).verdict == "failed"


def test_after_all_of_it_the_tree_verifies(pristine: Path) -> None:
    report = examine()
    assert [finding for finding in report.findings if finding.level != "note"] == []
    assert (report.verdict, report.exit_status) == ("verified", 0)
