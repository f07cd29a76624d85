"""The audit for a reader: ``results/<scale>/audit.html``, and what is said of the report page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from iic.provenance import jobs
from iic.provenance.audit import integrity
from iic.provenance.audit.report import COUNTED, AuditReport, Finding, Verdict, conclude
from iic.provenance.audit.tree import Tree
from iic.publish.pages.audit_view import AuditView, FindingView, Tone
from iic.publish.pages.render import render
from iic.records import paths
from iic.records.files import write_bytes

TONES: dict[Verdict, Tone] = {
    "verified": "good", "drifted": "warn", "failed": "bad", "nothing measured": "warn",
    "nothing re-run": "warn",
}  # fmt: skip
SHOWN = {"schema_version", "scale", "at", "verdict", "exit_status", "code", "checked", "findings"}
"""Fields that have a place of their own; any other is shown below them."""


def view(report: AuditReport) -> AuditView:
    """The audit as the pages show it."""
    sentence = report.sentence
    content = report.model_dump(mode="json")
    return AuditView(
        scale=report.scale,
        at=report.at,
        verdict=report.verdict,
        sentence=sentence[0].upper() + sentence[1:],
        tone=TONES[report.verdict],
        commit=report.code.commit,
        dirty=report.code.dirty,
        checked={
            COUNTED[name]: number
            for name, number in report.checked.model_dump(exclude_defaults=True).items()
        },
        findings=tuple(
            FindingView(finding.level, finding.kind, finding.path, finding.message, finding.remedy)
            for finding in report.findings
        ),
        more={
            name.replace("_", " ").capitalize(): value
            for name, value in content.items()
            if name not in SHOWN and value not in (None, [], {})
        },
    )


def of_results(report: AuditReport) -> AuditReport:
    """The audit without what it found of an earlier report page, for the page that follows."""
    own = _own(report.scale)
    kept = [finding for finding in report.findings if finding.path not in own]
    again = conclude(
        report.scale, report.at, report.code, report.checked, kept, reruns=report.reruns
    )
    return report.model_copy(
        update={
            "findings": again.findings,
            "verdict": again.verdict,
            "exit_status": again.exit_status,
        }
    )


def write_page(report: AuditReport, path: Path) -> None:
    """Write the page.

    Raises:
        RecordError: It cannot be written.
    """
    write_bytes(path, render("audit.html.j2", audit=view(report)))


def check(tree: Tree, findings: Sequence[Finding], *, follows: bool = False) -> Iterator[Finding]:
    """Is the report page, where there is one, what its receipt says, and does it show this?

    It comes after the audit, so its absence is nothing to be noted; nor, where the workflow makes
    it anew next, are earlier results on it.

    Args:
        tree: The clone.
        findings: What all other checks found.
        follows: Whether the page is made next.
    """
    job, page = jobs.report(tree.scale), paths.report_page(tree.scale)
    if not any(tree.exists(str(path)) for path in (job.receipt, page)):
        return
    yield from integrity.look(tree, job)
    receipt = tree.receipt(str(job.receipt))
    if receipt is None or follows:
        return
    audits = {str(paths.audit_report(tree.scale))}
    changed = [
        read.path
        for read in receipt.inputs
        if read.path not in audits and tree.sha256(read.path) not in (None, read.sha256)
    ]
    said = receipt.outcome.get("verdict")
    levels = {finding.level for finding in findings}
    now = "failed" if "failure" in levels else "drifted" if "drift" in levels else "verified"
    if changed:
        yield _outdated(page, f"{changed[0]} has changed since", tree.scale)
    elif said != now:
        yield _outdated(page, f"it says {said}, where this audit says {now}", tree.scale)


def _outdated(page: Path, why: str, scale: str) -> Finding:
    return Finding(
        level="note",
        kind="stale",
        path=str(page),
        message=f"the page shows earlier results: {why}",
        remedy=f"iic report --scale {scale}",
    )


def _own(scale: str) -> set[str]:
    return {str(paths.report_page(scale)), str(jobs.report(scale).receipt)}
