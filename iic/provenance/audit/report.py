"""What an audit found: ``results/<scale>/audit.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from iic.params.base import Model
from iic.records.files import Readable
from iic.records.receipt import Code

Level = Literal["failure", "drift", "note"]
"""A failure means that a number cannot be trusted; drift, that it was made by other code, settings
or software than today's; a note, something that a reader should know."""

Kind = Literal[
    "unreadable",
    "missing",
    "altered",
    "schema",
    "misplaced",
    "chain",
    "metrics",
    "rebuild",
    "orphan",
    "stale",
    "environment",
    "accepted",
    "to be restored",
    "not run",
    "uncommitted",
    "unverified",
    "rerun",
    "contradiction",
    "implausible",
    "inference",
    "history",
    "signature",
]

ExitStatus = Literal[0, 1, 3]
Verdict = Literal["verified", "drifted", "failed", "nothing measured", "nothing re-run"]
"""The last one: re-runs were asked for, and none could be made."""

Outcome = Literal[
    "same bytes", "within tolerance", "beyond tolerance", "different", "failed", "not compared"
]
"""How a training that was repeated stands to what the results say. ``within tolerance`` and
``beyond tolerance``: bytes differ, as they may between two kinds of machines, and accuracies are
compared. ``different``: bytes differ on the same kind. ``failed``: it ended with an error.
``not compared``: it took too long, or there is nothing to compare it with."""


class Finding(Model):
    """One thing found."""

    level: Level
    kind: Kind
    path: Readable
    """File or job that it is about."""
    message: Readable
    remedy: Readable | None = None


class Checked(Model):
    """How much was looked at; an audit that checks nothing must not look like a clean one."""

    jobs: int = Field(ge=0)
    """Jobs of the plan that have a receipt."""
    files: int = Field(ge=0)
    """Files whose content was compared with its hash."""
    cells: int = Field(ge=0)
    """Cells of tables, and series of figures, with a chain that closes on the raw data."""
    evaluations: int = Field(ge=0)
    """Evaluations recomputed from assignments."""
    tables: int = Field(ge=0)
    """Tables rebuilt and compared byte by byte."""
    inferred: int = Field(0, ge=0)
    """Runs computed again from their weights; 0 where that was not asked for."""
    drawn: int = Field(0, ge=0)
    """Figures and pages drawn again; 0 where that was not asked for."""
    marked: int = Field(0, ge=0)
    """Parts of README and docs that quote numbers and were written again."""
    packages: int = Field(0, ge=0)
    """Files of installed packages that were compared with their wheels' lists."""


COUNTED = {
    "jobs": "receipts",
    "files": "files hashed",
    "cells": "cells and series with closed chains",
    "evaluations": "evaluations recomputed",
    "tables": "tables rebuilt",
    "inferred": "runs computed from their weights",
    "drawn": "figures and pages drawn again",
    "marked": "parts of README and docs",
    "packages": "files of packages",
}
"""What was counted -> how it is said; what nobody asked for is not shown."""


class Rerun(Model):
    """One training that was repeated."""

    run: str
    seed: int
    steps: int | None = None
    """First steps that were repeated; null for all of them."""
    outcome: Outcome
    other_machine: list[str] = []
    """What differs between the machine of the results and this one; where nothing does, the bytes
    have to be the same."""
    recorded_seconds: float
    """What the training took when the results were made."""
    seconds: float
    """What it took now, start of the process included."""
    accuracies: dict[str, tuple[float, float]] = {}
    """Selection -> accuracy in percent that the results have, and that of the re-run."""
    differences: list[str] = []


class Reruns(Model):
    """The sample of trainings that were repeated."""

    asked: int = Field(ge=1)
    nonce: Readable | None = None
    """What the sample was drawn by; null in reports from before there was one."""
    seed: int | None = None
    """Of the sample, in reports from before."""
    most_seconds: float
    """Trainings that are thought to take longer were left out."""
    tolerance: float | None
    """Percentage points of accuracy between different machines, as the auditor gave them; null
    where those declared hold, for runs with steps and without."""
    possible: int = Field(ge=0)
    """Trainings that the sample was drawn from."""
    impossible: dict[str, int] = {}
    """Why others were not among them -> how many."""
    trainings: list[Rerun] = []

    @property
    def compared(self) -> int:
        """Trainings that were repeated and say something about the results."""
        return sum(training.outcome != "not compared" for training in self.trainings)


class AuditReport(Model):
    """The whole file. Two audits of one tree without re-runs differ only in `at`."""

    schema_version: Literal[1] = 1
    scale: str
    at: AwareDatetime
    verdict: Verdict
    exit_status: ExitStatus
    code: Code
    """State of the clone that did the audit."""
    fingerprint: str | None = None
    """Of the audit's code and of all that it judged; null in reports from before there was one."""
    checked: Checked
    reruns: Reruns | None = None
    """Null where none were asked for."""
    findings: list[Finding]
    """Failures first, then by path."""

    @property
    def absent_data(self) -> list[str]:
        """Datasets whose raw data or arrays are not all here, so that nobody looked at them."""
        data = [finding.path for finding in self.findings if finding.kind == "to be restored"]
        return sorted({path.split("/")[2] for path in data if path.startswith("data/")})

    @property
    def sentence(self) -> str:
        """The verdict in words: what was verified, and what could not be."""
        if self.verdict not in ("verified", "drifted"):
            return SENTENCES[self.verdict]
        if not self.checked.cells:
            return "what is here is in order, though no table or figure shows a number yet"
        last = "the raw data"
        if self.absent_data:
            last = "the runs' assignments, and their receipts name the raw data by checksum"
        said = f"every number follows from {last}"
        if self.verdict == "drifted":
            said += "; but code, settings or software are other than today's"
        if self.absent_data:
            names = ", ".join(self.absent_data)
            said += f". Not verified, since they are not here: the data of {names}"
        return said


SENTENCES: dict[Verdict, str] = {
    "failed": "not every number can be trusted",
    "nothing measured": "there is no result to verify, so none is verified",
    "nothing re-run": "no training could be repeated",
}

ORDER: dict[Level, int] = {"failure": 0, "drift": 1, "note": 2}


def conclude(
    scale: str,
    at: datetime,
    code: Code,
    checked: Checked,
    findings: list[Finding],
    reruns: Reruns | None = None,
    fingerprint: str | None = None,
) -> AuditReport:
    """The report, findings sorted and each given once.

    Where no number was looked at, none is verified, whatever else is in order; and an audit that
    was asked to repeat trainings and repeated none has not done what its reader thinks it did.
    """
    unique = {finding.model_dump_json(): finding for finding in findings}.values()
    ordered = sorted(
        unique,
        key=lambda finding: (ORDER[finding.level], finding.path, finding.kind, finding.message),
    )
    levels = {finding.level for finding in ordered}
    failed, drifted = "failure" in levels, "drift" in levels
    verdict: Verdict
    status: ExitStatus
    if failed:
        verdict, status = "failed", 1
    elif not checked.cells and not checked.evaluations:
        verdict, status = "nothing measured", 1
    elif reruns is not None and not reruns.compared:
        verdict, status = "nothing re-run", 1
    elif drifted:
        verdict, status = "drifted", 3
    else:
        verdict, status = "verified", 0
    return AuditReport(
        scale=scale,
        at=at,
        verdict=verdict,
        exit_status=status,
        code=code,
        fingerprint=fingerprint,
        checked=checked,
        reruns=reruns,
        findings=ordered,
    )
