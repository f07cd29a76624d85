"""The verb ``audit``: verify every number of a scale."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from iic.cli.logs import logged_to
from iic.cli.own import audit_model
from iic.cli.own_clone import require_clone
from iic.cli.shown_audit import show, verdict
from iic.cli.sign import RequireOption, SignersOption
from iic.params.errors import IICError
from iic.params.runs import load_plan
from iic.provenance import isolated
from iic.provenance.environment import kept_in_git
from iic.provenance.terminal import Terminal
from iic.records import paths
from iic.records.files import RecordError

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(audit)


def audit(
    model: Annotated[
        Path | None, typer.Argument(help="A model of `iic fit`, in place of a scale.")
    ] = None,
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Exit status 0 also where only drift was found.")
    ] = False,
    report_follows: Annotated[
        bool,
        typer.Option(
            "--report-follows",
            help="The report page is made next, as the workflow does: say nothing of an older one.",
        ),
    ] = False,
    to_results: Annotated[
        bool,
        typer.Option(
            "--write", help="Write the report into results/SCALE also where git keeps it there."
        ),
    ] = False,
    infer: Annotated[
        bool | None,
        typer.Option(
            "--infer/--no-infer",
            help="Compute predictions and losses again from the weights. By default where weights "
            "and prepared data are here; with --infer it is a failure if none are.",
            show_default=False,
        ),
    ] = None,
    infer_seconds: Annotated[
        float, typer.Option(min=0, help="Longest time for that, the cheapest runs first.")
    ] = 120.0,
    from_git: Annotated[
        str | None,
        typer.Option(
            help="Commit, branch or tag to audit in place of what lies here: with today's auditor, "
            "and by the code of the commit. Nothing is written.",
        ),
    ] = None,
    packages: Annotated[
        bool,
        typer.Option(
            "--packages", help="Hash all files of the packages that compute, not their code alone."
        ),
    ] = False,
    redraw: Annotated[
        bool, typer.Option("--redraw", help="Draw figures and the report page again, and compare.")
    ] = False,
    rerun: Annotated[
        int, typer.Option(min=0, help="Trainings to repeat and compare with the results.")
    ] = 0,
    nonce: Annotated[
        str | None, typer.Option(help="Any text, which draws them; random, and shown, by default.")
    ] = None,
    rerun_seconds: Annotated[
        float, typer.Option(min=0, help="Longest training, in estimated seconds, to choose.")
    ] = 60.0,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=20,
            help="With --rerun: repeat so many first steps instead, of trainings of any length.",
        ),
    ] = None,
    rerun_tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="Points of accuracy between different machines, in place of those declared for "
            "each method; on one machine bytes are compared.",
        ),
    ] = None,
    signers: SignersOption = None,
    require_signed: RequireOption = False,
    log_file: Annotated[Path | None, typer.Option("--log", help="File to log to as well.")] = None,
) -> None:
    """Verify every number of a scale, from the tables back to the raw data.

    Exit status: 0 verified; 1 a file, a receipt or a number is not what it should be, nothing has
    been measured, or re-runs were asked for and none was possible; 3 verified, but code, settings
    or software have changed since. Writes audit.json and, to be read, audit.html, except where
    nothing has been measured: into results/SCALE, or into logs/SCALE where git tracks the report in
    results/SCALE, so that looking changes no file of git.

    With MODEL: its files, settings, images and predictions, by its own receipt.
    """
    if model is not None:
        raise typer.Exit(audit_model(model))
    require_clone()
    from iic.provenance.audit.inferences import InferenceRequest
    from iic.provenance.audit.packages import Packages
    from iic.provenance.audit.rerun import Request
    from iic.provenance.audit.run import audit as examine
    from iic.provenance.audit.run import discard, write
    from iic.provenance.audit.signed import signers_of

    drawn: dict[str, Any] = {} if nonce is None else {"nonce": nonce}
    request = None
    if rerun:
        request = Request(
            rerun, most_seconds=rerun_seconds, tolerance=rerun_tolerance, steps=steps, **drawn
        )
    elif steps is not None:
        raise IICError("--steps says how much of a training is repeated: give --rerun N too")
    # an environment that is not shut out would vouch for itself
    looked_at = packages or isolated.active()
    installed = Packages(Path(), thorough=packages) if looked_at else None
    signed = signers_of(signers and signers.resolve(), require_signed)
    if from_git is not None:
        if rerun or infer or to_results:
            raise IICError(
                "--from-git: a commit has neither data nor weights, and its report is not kept: "
                "leave out --rerun, --infer and --write"
            )
        from iic.provenance.audit.commit import checked_out

        with checked_out(from_git):
            require_clone()
            report = examine(
                load_plan(scale), signers=signed, redraw=redraw, own_code=True, packages=installed
            )
        console = Terminal(soft_wrap=True, highlight=False)
        show(report, console)
        console.print(verdict(report))
        raise typer.Exit(0 if allow_drift and report.verdict == "drifted" else report.exit_status)
    with logged_to(log_file):
        plan = load_plan(scale)
        place, measured = paths.audit_report(scale), plan.scale.real
        own = not to_results and kept_in_git(place, measured=measured)
        # an audit that is broken off must not leave the verdict of an earlier one
        try:
            discard(scale, to_results=not own)
        except RecordError as error:
            log.warning("%s", error)  # what is found is shown all the same
        report = examine(
            plan,
            rerun=request,
            infer=None if infer is False else InferenceRequest(infer_seconds, bool(infer)),
            signers=signed,
            packages=installed,
            report_follows=report_follows,
            redraw=redraw,
        )
        if log_file is not None:
            with log_file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                show(report, Terminal(file=file, soft_wrap=True, highlight=False))
            log.info("%s", verdict(report))
    good = not report.exit_status or (allow_drift and report.verdict == "drifted")
    # a workflow shows the last entry of the log; the rest is of use where something is wrong
    console = Terminal(soft_wrap=True, highlight=False, quiet=good and log_file is not None)
    show(report, console)
    console.print(verdict(report))
    if report.verdict != "nothing measured":
        path = write(report, to_results=not own)
        hint = ", since git keeps that of the results (--write replaces it)" if own else ""
        console.print(Text(f"written to {path}{hint}"))
    if not good:
        raise typer.Exit(report.exit_status)
