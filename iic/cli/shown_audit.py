"""A report of the audit as lines on a terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.text import Text

from iic.provenance.audit.report import COUNTED, AuditReport, Finding, Reruns

STYLES = {"failure": "bold red", "drift": "yellow", "note": "dim"}
VERDICTS = {
    "verified": ("verified", "bold green"),
    "drifted": ("verified, with drift", "yellow"),
    "failed": ("FAILED", "bold red"),
    "nothing measured": ("nothing measured", "yellow"),
    "nothing re-run": ("not verified as asked", "yellow"),
}
"""Verdict -> how the last line begins, and its style."""
HINTS = {
    "nothing measured": "; run the workflow or iic restore first",
    "nothing re-run": " (the notes above say why)",
}


def show(report: AuditReport, console: Console) -> None:
    """Findings, and how much was looked at."""
    for finding in report.findings:
        _finding(console, finding)
    checked = report.checked.model_dump(exclude_defaults=True)
    console.print(Text(", ".join(f"{number} {COUNTED[what]}" for what, number in checked.items())))
    if report.reruns is not None:
        _reruns(report.reruns, console)
    counts = Counter(finding.level for finding in report.findings)
    if counts:
        console.print(Text(", ".join(f"{number} {level}s" for level, number in counts.items())))


def verdict(report: AuditReport) -> Text:
    """The last line."""
    words, style = VERDICTS[report.verdict]
    if not report.checked.cells:
        style = style.replace("green", "yellow")
    hint = HINTS.get(report.verdict, "")
    return Text(f"{report.scale}: {words}: {report.sentence}{hint}", style=style)


def _reruns(reruns: Reruns, console: Console) -> None:
    for training in reruns.trainings:
        style = "green" if training.outcome in ("same bytes", "within tolerance") else "bold red"
        steps = f"the first {training.steps} steps of " if training.steps else ""
        line = Text(f"re-run of {steps}{training.run}/seed{training.seed}: ").append(
            training.outcome, style=style
        )
        line.append(f" ({training.recorded_seconds:.0f} s then, {training.seconds:.0f} s now)")
        console.print(line)
        for name, (then, now) in training.accuracies.items() if training.differences else ():
            console.print(Text(f"  {name}: {then:.2f} % then, {now:.2f} % now", style="dim"))
    console.print(
        Text(
            f"{reruns.compared} of {reruns.asked} re-runs made, of {reruns.possible} possible "
            f"(--nonce {reruns.nonce})"
        )
    )


def _finding(console: Console, finding: Finding) -> None:
    head = Text(f"{finding.level} ({finding.kind}) ", style=STYLES[finding.level])
    console.print(head.append(finding.path, style="bold"))
    for line in finding.message.splitlines():
        console.print(Text(f"  {line}"))
    if finding.remedy and finding.level != "note":
        console.print(Text(f"  -> {finding.remedy}", style="italic"))
