"""``iic audit --rerun N --steps M``: the first steps of a training against those of its receipt."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.engine.loop import TRAJECTORY_STEPS
from iic.params.datasets import Dataset
from iic.params.runs import load_plan
from iic.provenance.audit import beginnings
from iic.provenance.audit.beginnings import compare, contradictions
from iic.provenance.audit.preparation import Preparations
from iic.provenance.audit.rerun import Repetitions, Request
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records.files import read_record
from iic.records.history_line import HistoryLine
from iic.records.paths import prepared_manifest
from iic.records.receipt import Receipt
from tests.conftest import SCALE
from tests.provenance.audit_helpers import RUNS, forge

RECEIPT = RUNS / "ae/seed0/run.json"
LOSSES = [0.25, 0.5, 0.125]


@pytest.fixture
def autoencoder(finished_tree: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Receipt:
    """The only training to repeat, its data prepared already."""
    full = Repetitions._obstacle

    def obstacle(self: Repetitions, job: Job, receipt: Receipt) -> str | None:
        return full(self, job, receipt) if job.receipt == RECEIPT else "they are not meant"

    def prepared(self: Preparations, dataset: str, entry: Dataset) -> None:
        place = prepared_manifest(dataset).parent
        shutil.copytree(finished_tree / place, self.folder / place)

    monkeypatch.setattr(Repetitions, "_obstacle", obstacle)
    monkeypatch.setattr(Preparations, "make", prepared)
    return read_record(RECEIPT, Receipt)


def test_the_first_steps_have_the_same_losses_or_a_forged_one_is_named(
    autoencoder: Receipt,
) -> None:
    losses = autoencoder.trajectory
    forge(RECEIPT, trajectory=[*losses[:2], losses[2] * (1 + 2**-52), *losses[3:]])
    for steps, outcome in ((2, "same bytes"), (3, "different")):
        repetitions = Repetitions(Tree(load_plan(SCALE)), Request(1, most_seconds=0, steps=steps))
        found = [finding for finding in repetitions.check() if finding.level == "failure"]
        (result,) = repetitions.report.trainings
        assert (result.outcome, result.steps) == (outcome, steps)
        assert [finding.path for finding in found] == [str(RECEIPT)] * (outcome == "different")
    assert f"the loss of step 3 was {losses[2] * (1 + 2**-52)!r}" in found[0].message


def test_a_receipt_without_them_is_said_to_have_none(autoencoder: Receipt) -> None:
    forge(RECEIPT, trajectory=[])
    repetitions = Repetitions(Tree(load_plan(SCALE)), Request(1, steps=5))
    findings = list(repetitions.check())
    assert {finding.level for finding in findings} == {"note"}
    assert repetitions.report.impossible["their receipts have no losses of first steps"] == 1


def test_steps_without_a_rerun_are_refused(laptop: Path) -> None:
    done = CliRunner().invoke(app, ["audit", "--scale", "laptop", "--steps", "5"])
    assert "give --rerun N too" in str(done.exception)


@pytest.mark.parametrize(
    ("now", "exact", "said"),
    [
        (LOSSES, True, None),
        ([0.25, 0.5, 0.125 + 2**-50], True, "the loss of step 3 was 0.125"),
        ([0.25, 0.5, 0.134], False, None),
        ([0.25, 0.5, 0.136], False, "the loss of step 3 was 0.125, and is 0.136 now"),
        ([0.25, float("nan"), 0.125], False, "the loss of step 2"),
        (LOSSES[:2], False, "losses of 3 first steps, where 2"),
    ],
)
def test_losses_are_the_same_or_within_what_is_declared(
    now: list[float], exact: bool, said: str | None
) -> None:
    found = compare(LOSSES, now, exact=exact)
    assert found == said if said is None else said in str(found)


@pytest.mark.parametrize(
    ("losses", "passes", "said"),
    [
        (LOSSES, [([], 0), ([0.375], 2), ([0.125], 3)], None),
        (LOSSES, [([], 0), ([0.376], 2), ([0.125], 3)], "mean 0.375 in epoch 1, and the history"),
        (LOSSES, [([], 0), ([0.3, 0.3], 3)], None),  # two passes, and nobody says where they end
        (LOSSES[:2], [([], 0), ([0.3], 3)], "losses of 2 first steps of 3"),
        ([], [([], 0), ([0.3], 3)], None),
    ],
)
def test_losses_agree_with_the_history(
    losses: list[float], passes: list[tuple[list[float], int]], said: str | None
) -> None:
    lines = [
        HistoryLine(epoch=epoch, head=[], loss=loss or None, accuracy=None, steps=steps,
                    seconds=0, pairs_per_second=None)
        for epoch, (loss, steps) in enumerate(passes)
    ]  # fmt: skip
    receipt: Any = Receipt.model_construct(trajectory=losses)
    found = list(contradictions(receipt, 3, lines))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_as_many_are_kept_as_the_audit_thinks() -> None:
    assert beginnings.KEPT == TRAJECTORY_STEPS
