"""What a person reads first in a crate: its ``README.md``."""

from __future__ import annotations

from collections.abc import Sequence

from iic.provenance.audit.report import Finding

SHOWN = 20


def status_line(failures: Sequence[Finding]) -> str:
    """Whether the results verified when they were exported."""
    if not failures:
        return (
            "Verified at export: every file has the hash that its receipt says, and every number "
            "leads back to the raw data by receipts."
        )
    return (
        f"NOT VERIFIED: the results were exported with --unverified though {len(failures)} "
        "checks of files and receipts failed. Do not rely on the numbers."
    )


def readme(title: str, statements: Sequence[str], failures: Sequence[Finding]) -> str:
    """Text of the file, in Markdown.

    Args:
        title: Name of the crate.
        statements: One paragraph each.
        failures: What did not verify; named, the first of them.
    """
    lines = [f"# {title}", "", *(line for statement in statements for line in (statement, ""))]
    if failures:
        lines += ["## What did not verify", ""]
        lines += [
            f"- {failure.kind}: {failure.path}: {' '.join(failure.message.split())}"
            for failure in failures[:SHOWN]
        ]
        if len(failures) > SHOWN:
            lines.append(f"- and {len(failures) - SHOWN} more")
        lines.append("")
    lines += [
        "## How to read it",
        "",
        "- `ro-crate-metadata.json`: every job as an action with its tool, inputs, settings,",
        "  outputs, times and machine (Provenance Run Crate 0.5).",
        "- `results/`: tables, figures, small files of each run, and receipts (`run.json`,",
        "  `*.run.json`).",
        "- `settings/`: resolved settings of each job; a file's name is its SHA-256, which the",
        "  receipt has as `settings_sha256`.",
        "- `Snakefile`, `workflow/`, `iic/`, `params/`, `requirements.lock`: the code and settings",
        "  of the clone that made this crate. Each action names the commit that it ran.",
        "- Files whose identifier starts with `#not-in-crate/` are known by hash and size alone.",
        "",
    ]
    return "\n".join(lines)
