"""The verb ``report``: one page with everything that a scale shows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from iic.cli.job import job
from iic.cli.logs import logged_to
from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance import fingerprint as fingerprints
from iic.provenance import graph
from iic.provenance import jobs as planned
from iic.records import paths

log = logging.getLogger(__name__)


class NothingToReport(IICError):
    """The scale has no results."""


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(report)


def report(
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
    fingerprint: Annotated[
        str | None, typer.Option(help="What the workflow was planned with; left out by hand.")
    ] = None,
    log_file: Annotated[Path | None, typer.Option("--log", help="File to log to as well.")] = None,
) -> None:
    """Gather tables, figures, timings and provenance in results/SCALE/report.html.

    One file that loads nothing. It shows the verdict of the last audit, results/SCALE/audit.json.
    """
    from iic.provenance.audit import files
    from iic.provenance.audit.page import of_results, view
    from iic.provenance.audit.report import AuditReport
    from iic.publish.report.page import write
    from iic.records.files import RecordError, read_record

    with logged_to(log_file):
        scale_plan = load_plan(scale)
        files.refuse(scale_plan)
        planned_job = planned.report(scale)
        read, made = reads(scale_plan)
        audited = paths.audit_report(scale)
        with job(
            planned_job.rule,
            planned_job.wildcards,
            fingerprint=fingerprints.report(scale),
            planned_fingerprint=fingerprint,
            receipt_path=planned_job.receipt,
            inputs=read,
            parents=made,
            stand_in=any(dataset.stand_in for dataset in scale_plan.datasets.values()),
        ) as work:
            try:
                audit = of_results(read_record(audited, AuditReport)) if audited.exists() else None
            except RecordError as error:
                raise IICError(f"{error}\n  remedy: iic audit --scale {scale} --write") from error
            work.outcome["verdict"] = None if audit is None else audit.verdict
            page = write(scale_plan, None if audit is None else view(audit), made)
            work.output(page)
            verdict = "no audit" if audit is None else f"audit: {audit.verdict}"
            log.info("to open: %s (%.1f MB; %s)", page, page.stat().st_size / 1e6, verdict)


def reads(scale_plan: Plan, root: Path = Path()) -> tuple[list[Path], list[Path]]:
    """What the page is made from, and the receipts of the jobs that made it, those that exist.

    Raises:
        NothingToReport: There is no receipt of a table, a figure or a training.
    """
    page = planned.report(scale_plan.scale.name)
    made = [job.receipt for job in graph.parents(scale_plan, page) if (root / job.receipt).exists()]
    if not made:
        raise NothingToReport(
            f"scale {scale_plan.scale.name!r} has no results here: there is nothing to report\n"
            f"  remedy: iic run --scale {scale_plan.scale.name} all, or "
            f"iic restore --scale {scale_plan.scale.name}"
        )
    return [path for path in graph.inputs(scale_plan, page) if (root / path).exists()], made
