"""``iic tabulate``: one table, or after a failure all that are unfinished, as far as they go."""

from __future__ import annotations

import contextlib
import importlib
import logging
from dataclasses import replace
from typing import Annotated

import typer

from iic.cli.job import job
from iic.cli.jobs import (
    FingerprintOption,
    LogOption,
    ScaleOption,
    evaluate_one,
    inputs_of,
    parents_of,
)
from iic.cli.logs import logged_to
from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance import fingerprint as fingerprints
from iic.provenance import jobs as planned
from iic.provenance.status import status
from iic.provenance.unfinished import Standing, standings
from iic.provenance.why import why
from iic.records import paths

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(tabulate)


def tabulate(
    name: Annotated[str | None, typer.Option(help="Name of the table, e.g. table_1.")] = None,
    scale: ScaleOption = "mini",
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Do not wait for trainings without a result: write tables that are not finished "
            "to results/SCALE/partial/, `not run` where a number is missing, and why. Without "
            "--name all of which something was measured or failed.",
        ),
    ] = False,
    fingerprint: FingerprintOption = None,
    log_file: LogOption = None,
) -> None:
    """Write one table as csv, md and tex, with the sources of each cell."""
    if name is None and not allow_missing:
        raise typer.BadParameter("name a table, or give --allow-missing", param_hint="--name")
    with logged_to(log_file):
        plan = load_plan(scale)
        if allow_missing:
            if name is not None:
                plan.check("table", name, plan.tables)
            write_unfinished_tables(plan, name)
            return
        assert name is not None
        plan.check("table", name, (*plan.tables, *plan.listings))
        planned_job = planned.tabulate(scale, name)
        with job(
            planned_job.rule,
            planned_job.wildcards,
            fingerprint=fingerprints.tabulate(scale, name),
            planned_fingerprint=fingerprint,
            receipt_path=planned_job.receipt,
            inputs=inputs_of(plan, planned_job),
            parents=parents_of(plan, planned_job),
        ) as work:
            if name in plan.listings:
                from iic.publish.built import write_files

                listing = importlib.import_module(plan.listings[name].module)
                work.output(*write_files(listing.build(plan, name), paths.table(scale, name)))
            else:
                from iic.publish.tables import write

                work.output(*write(plan, name))
            log.info("%s written to %s", name, paths.table(scale, name))
        _discard(scale, name)


def write_unfinished_tables(plan: Plan, name: str | None = None) -> list[str]:
    """Write tables from the trainings that have a result, scoring those first.

    A single failed training holds back every table that shows it. Scoring is the workflow's own
    job, with its receipt. The tables have none: they are no results, and go when the tables
    themselves are made.

    Args:
        plan: The scale's plan.
        name: The table; by default all of which something was measured or has failed.

    Returns:
        The tables that were written; a finished one is not.

    Raises:
        SettingsError: The settings are wrong.
        RecordError: A file cannot be written.
    """
    from iic.publish.tables import write_unfinished

    scale = plan.scale.name
    look = status(plan)
    finished = {
        display.name
        for display in look.displays
        if display.state == "done" and paths.table(scale, display.name).exists()
    }
    standing = standings(plan, look)
    written = []
    for table in plan.tables if name is None else (name,):
        trainings = [(run.id, seed) for run in plan.table_runs(table) for seed in run.seeds]
        states = {standing[training].state for training in trainings}
        if table in finished or (name is None and states == {"not reached"}):
            _discard(scale, table)
            continue
        for training in trainings:
            standing[training] = _scored(plan, standing[training])
        missing = {
            training: standing[training].note
            for training in trainings
            if standing[training].state != "measured"
        }
        write_unfinished(plan, table, missing)
        path = paths.partial_table(scale, table).with_suffix(".md")
        measured = len(trainings) - len(missing)
        log.info("%s: %d of %d trainings", path, measured, len(trainings))
        # of most trainings after a failure there is nothing to say, and the table names them
        for training, note in missing.items():
            if standing[training].reason:
                log.info("  %s", note)
        written.append(table)
    if not written:
        log.info("%s: no table to write in part", name or scale)
    return written


def _scored(plan: Plan, training: Standing) -> Standing:
    """The training once it is scored, or why it cannot be."""
    if training.state != "measured":
        return training
    scale = plan.scale.name
    try:
        if not why(planned.evaluate(scale, training.run, training.seed)).fresh:
            evaluate_one(plan, plan.run(training.run), training.seed)
    except IICError as error:
        reason = f"it cannot be scored: {str(error).splitlines()[0]}"
        return replace(training, state="failed", reason=reason)
    return training


def _discard(scale: str, name: str) -> None:
    """Delete the partial form of a table; what cannot be deleted is in nobody's way."""
    partial = paths.partial_table(scale, name)
    with contextlib.suppress(OSError):
        for path in paths.table_files(partial):
            path.unlink(missing_ok=True)
        partial.parent.rmdir()
