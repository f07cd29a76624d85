"""What an audit found: ``results/<scale>/audit.json``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from iic.params.base import Model
from iic.records.receipt import Code

Level = Literal["failure", "drift", "note"]
"""A failure means that a number cannot be trusted; drift, that it was made by other code, settings
or software than today's; a note, something that a reader should know."""

Kind = Literal[
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
]

ExitStatus = Literal[0, 1, 3]
Verdict = Literal["verified", "drifted", "failed", "nothing measured"]


class Finding(Model):
    """One thing found."""

    level: Level
    kind: Kind
    path: str
    """File or job that it is about."""
    message: str
    remedy: str | None = None


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


class AuditReport(Model):
    """The whole file. Two audits of one tree differ only in `at`."""

    schema_version: Literal[1] = 1
    scale: str
    at: datetime
    verdict: Verdict
    exit_status: ExitStatus
    code: Code
    """State of the clone that did the audit."""
    checked: Checked
    findings: list[Finding]
    """Failures first, then by path."""


ORDER: dict[Level, int] = {"failure": 0, "drift": 1, "note": 2}


def conclude(
    scale: str, at: datetime, code: Code, checked: Checked, findings: list[Finding]
) -> AuditReport:
    """The report, findings sorted and each given once.

    Where no number was looked at, none is verified, whatever else is in order.
    """
    unique = {finding.model_dump_json(): finding for finding in findings}.values()
    ordered = sorted(unique, key=lambda one: (ORDER[one.level], one.path, one.kind, one.message))
    levels = {finding.level for finding in ordered}
    failed, drifted = "failure" in levels, "drift" in levels
    verdict: Verdict
    status: ExitStatus
    if failed:
        verdict, status = "failed", 1
    elif not checked.cells and not checked.evaluations:
        verdict, status = "nothing measured", 1
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
        checked=checked,
        findings=ordered,
    )
