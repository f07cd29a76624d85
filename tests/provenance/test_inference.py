"""``iic audit --infer``: predictions computed again from the weights. Forgeries: test_tampering."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import load_plan
from iic.provenance.audit.inference import infer
from iic.provenance.audit.inferences import InferenceRequest, Inferences
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records.receipt import Receipt
from tests.conftest import SCALE, run_in
from tests.provenance.audit_helpers import ARTIFACTS, flip, vouch


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave no other runs to compute again."""
    full = Inferences._obstacle

    def obstacle(self: Inferences, job: Job, receipt: Receipt) -> str | None:
        return full(self, job, receipt) if job.target in names else "they are not meant"

    monkeypatch.setattr(Inferences, "_obstacle", obstacle)


@pytest.mark.long
def test_weights_of_every_method_give_the_same_bits(tree: Path) -> None:
    """Long: every run of the scale, 15 s."""
    plan = load_plan(SCALE)
    for run in plan.runs.values():
        result = infer(plan, run.id, run.seeds[0])
        assert (result.error, result.different, result.other_machine) == (None, {}, []), run.id


def test_the_audit_starts_a_process_of_its_own(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("digits/kmeans/seed0", "digits/iic/seed0", "digits/vae/seed0")
    only(monkeypatch, *names)
    weights = ARTIFACTS / "iic/seed0/weights.safetensors"
    flip(weights, -1)
    vouch(weights)
    (ARTIFACTS / "vae/seed0/weights.safetensors").unlink()
    inferences = Inferences(Tree(load_plan(SCALE)), InferenceRequest(500.0))
    findings = list(inferences.check())
    assert inferences.inferred == 2
    failures = [finding for finding in findings if finding.level == "failure"]
    assert failures and all("digits/iic/seed0" in finding.message for finding in failures)
    notes = " ".join(finding.message for finding in findings if finding.level == "note")
    assert "their weights are not here (iic restore): digits/vae/seed0" in notes


def test_where_nothing_was_computed_nothing_is_verified(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "digits/iic/seed0")
    for required, level in ((True, "failure"), (False, "note")):
        inferences = Inferences(Tree(load_plan(SCALE)), InferenceRequest(0.0, required))
        findings = list(inferences.check())
        assert inferences.inferred == 0
        assert {finding.level for finding in findings} == {level}
    said = [finding.message for finding in findings if "digits/iic/seed0" in finding.message]
    assert len(said) == 1 and "0 s are over (--infer-seconds)" in said[0]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ((), InferenceRequest(120.0, required=False)),
        (("--infer", "--infer-seconds", "9"), InferenceRequest(9.0, required=True)),
        (("--no-infer",), None),
    ],
)
def test_the_command_line_infers_unless_told_not_to(
    laptop: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    asked: InferenceRequest | None,
) -> None:
    heard: list[object] = []

    def examine(plan: object, **options: object) -> None:
        heard.append(options["infer"])
        raise InterruptedError

    monkeypatch.setattr("iic.provenance.audit.run.audit", examine)
    CliRunner().invoke(app, ["audit", "--scale", "laptop", *words])
    assert heard == [asked]


def test_the_audit_itself_imports_no_torch() -> None:
    script = "import sys, iic.provenance.audit.run; assert 'torch' not in sys.modules"
    assert run_in(Path(__file__).parents[2], "-c", script).returncode == 0, sys.version
