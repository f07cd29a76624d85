"""The report page of a scale, ``results/<scale>/report.html``, from files in the results alone.

The same results give the same bytes: the page has the times of the receipts, never its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from iic.params.references import load_references
from iic.params.runs import Plan
from iic.publish.origins import FILE as REFERENCES
from iic.publish.origins import short
from iic.publish.pages.audit_view import AuditView
from iic.publish.pages.render import render
from iic.publish.report.chains import Chain, Chains
from iic.publish.report.curves import HEIGHT, WIDTH, curve_views
from iic.publish.report.figures import figure_views
from iic.publish.report.remarks import absent, differences
from iic.publish.report.tables import TableView, table_views
from iic.publish.report.timings import timings
from iic.records import paths
from iic.records.files import write_bytes

VERDICTS = ("reproduced", "above", "below", "inconclusive")


def build(
    plan: Plan, audit: AuditView | None, receipts: Sequence[Path], root: Path = Path()
) -> bytes:
    """The page.

    Args:
        plan: What the scale holds.
        audit: The last audit of the results; None where there was none.
        receipts: Receipts of the jobs whose results it shows, those that exist.
        root: Root of the clone.

    Raises:
        RecordError: A receipt or a file is damaged, or a table is not what its sources give.
        SettingsError: Settings or published numbers are wrong.
    """
    chains = Chains(plan, root)
    tables, figures = table_views(plan, chains), figure_views(plan, chains)
    trained = list(chains.trainings())
    runs = [chains.of_run(run_paths, receipt) for run_paths, receipt in trained]
    made = [view.made for view in tables] + [view.made for view in figures]
    times = [receipt.timing for _, receipt in trained]
    newest = _newest(chains, receipts)
    return render(
        "report.html.j2",
        plan=plan,
        audit=audit,
        outdated=audit is not None and newest is not None and newest > audit.at,
        first=min((timing.start for timing in times), default=None),
        newest=newest,
        commits=_commits(chains),
        stand_ins=[dataset.title for dataset in plan.datasets.values() if dataset.stand_in],
        tables=tables,
        figures=figures,
        verdicts=_verdicts(tables),
        measured=sum(len(view.cells) for view in tables),
        curves=curve_views(plan, chains),
        chart=(WIDTH, HEIGHT),
        timings=timings(plan, chains),
        differences=differences(plan, chains),
        absent=absent(plan, tables, chains),
        references=_references(plan, tables, root),
        runs=_grouped(runs),
        made=made,
        broken=[chain for chain in (*runs, *made) if chain.problems],
    )


def write(
    plan: Plan, audit: AuditView | None, receipts: Sequence[Path], root: Path = Path()
) -> Path:
    """Build the page and write it, whole or not at all; its path relative to `root`.

    Raises:
        RecordError: As `build`, or the page cannot be written.
        SettingsError: As `build`.
    """
    path = paths.report_page(plan.scale.name)
    write_bytes(root / path, build(plan, audit, receipts, root))
    return path


def _newest(chains: Chains, receipts: Sequence[Path]) -> datetime | None:
    """When the last of the jobs ended that the page shows."""
    receipts_there = (chains.receipt(path) for path in receipts)
    return max(
        (receipt.timing.end for receipt in receipts_there if receipt is not None), default=None
    )


def _commits(chains: Chains) -> list[tuple[str, int]]:
    """Commit that trainings ran from, and how many did."""
    commits = Counter(receipt.code.commit or "no commit" for _, receipt in chains.trainings())
    return sorted(commits.items(), key=lambda pair: (-pair[1], pair[0]))


def _verdicts(tables: Sequence[TableView]) -> list[tuple[str, int]]:
    """Verdict and how often it stands in the tables."""
    total = sum((view.verdicts for view in tables), Counter[str]())
    return [(name, total[name]) for name in VERDICTS if total[name]]


def _grouped(chains: Sequence[Chain]) -> list[tuple[str, list[Chain]]]:
    """Chains of the seeds of each run."""
    grouped: dict[str, list[Chain]] = {}
    for chain in chains:
        grouped.setdefault(chain.run, []).append(chain)
    return list(grouped.items())


def _references(plan: Plan, tables: Sequence[TableView], root: Path) -> list[tuple[str, str, str]]:
    """Short reference, what it is of, and the BibTeX entry; of all that ran, each once."""
    entries = load_references(root / REFERENCES)
    names_of: dict[str, list[str]] = {}
    for name in dict.fromkeys(
        name for view in tables if view.layout is not None for name in view.layout.origins
    ):
        if name in plan.datasets:
            citation = plan.datasets[name].citation
            texts = [citation.strip()] if citation else []
        else:
            texts = [entry.text for entry in entries if name in entry.methods]
        for text in texts:
            names_of.setdefault(text, []).append(name)
    return [(short(text), ", ".join(names), text) for text, names in names_of.items()]
