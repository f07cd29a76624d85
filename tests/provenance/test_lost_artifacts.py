"""Figures that were drawn from artifacts which lie nowhere any more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit.chain import Chain
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.records.files import read_record
from iic.records.receipt import Receipt
from iic.records.sources import Sources
from tests.conftest import SCALE
from tests.edits import change
from tests.provenance.audit_helpers import ARTIFACTS, RESULTS, RUNS, examine, forge, named

TRAINING = RUNS / "iic/seed0/run.json"
FIGURE = RESULTS / "figures/figure_3.run.json"
SOURCES = RESULTS / "figures/figure_3.sources.json"
COST = "drawing it again needs the artifacts of digits/iic/seed0, a training of 2 h 30 min"


def train_anew() -> None:
    """As if git had brought the receipt of another training: without what it drew from."""
    timing = read_record(TRAINING, Receipt).timing
    forge(TRAINING, timing=timing.model_copy(update={"seconds": 9000.0}))


def chain() -> list[Finding]:
    return list(Chain(Tree(load_plan(SCALE))).check())


def of_figure() -> list[Finding]:
    paths = (str(FIGURE), str(SOURCES))
    return [finding for finding in chain() if finding.path in paths]


def test_it_is_drift_with_its_cost_where_only_a_training_could_draw_it(tree: Path) -> None:
    train_anew()
    named(of_figure(), FIGURE, "chain", "was made from another")
    shutil.rmtree(ARTIFACTS / "iic/seed0")
    findings = of_figure()
    named(findings, FIGURE, "chain", "was made from another", COST, level="drift")
    assert {finding.level for finding in findings if finding.kind == "chain"} == {"drift"}
    (remedy,) = {finding.remedy for finding in findings if finding.kind == "chain"}
    assert remedy is not None and f"iic restore --scale {SCALE}" in remedy
    # whatever else was made from the old one is quick to make again, and fails as before
    named(chain(), RUNS / "iic/seed0/evaluation.run.json", "chain")


@pytest.mark.parametrize("forged", ["sources", "receipt"])
def test_what_does_not_agree_with_itself_fails_in_any_case(tree: Path, forged: str) -> None:
    train_anew()
    shutil.rmtree(ARTIFACTS / "iic/seed0")
    receipt = read_record(FIGURE, Receipt)
    if forged == "receipt":
        # it names scores that it has not read
        forge(FIGURE, inputs=[read for read in receipt.inputs if "runs/" not in read.path])
        failures = [finding for finding in of_figure() if finding.level == "failure"]
        named(failures, FIGURE, "chain", "read none of its files")
        return
    # the receipt knows nothing of the training that the sources name
    digests = {parent.path: parent.digest for parent in receipt.parents}
    sources = read_record(SOURCES, Sources)
    quoted = sources.series[0].seeds[0].receipt
    assert digests[quoted.path] == quoted.digest
    parents = [
        parent.model_copy(update={"digest": "0" * 64}) if parent.path == quoted.path else parent
        for parent in receipt.parents
    ]
    forge(FIGURE, parents=parents)
    made = read_record(Path(quoted.path), Receipt)
    forge(Path(quoted.path), command=[*made.command, "--again"])
    named(of_figure(), SOURCES, "chain", "was made from another")


def test_changed_code_of_a_figure_names_the_cost_and_what_else_can_be_done(tree: Path) -> None:
    train_anew()
    change(tree / "iic/publish/figures/progression.py", "draw")
    fingerprint.forget()
    for lost in (False, True):
        if lost:
            shutil.rmtree(ARTIFACTS / "iic/seed0")
        (stale,) = [
            finding
            for finding in examine().findings
            if (finding.path, finding.kind) == (str(FIGURE), "stale")
        ]
        assert stale.remedy is not None
        assert ("a training of 2 h 30 min" in stale.remedy) == lost
        assert ("iic accept figure_3 --because" in stale.remedy) == lost
