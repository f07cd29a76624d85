"""Verbs that answer for the numbers: ``audit``, ``why``, ``accept``, ``restore``."""

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
from iic.provenance import jobs
from iic.provenance.accept import accept as add_acceptance
from iic.provenance.environment import kept_in_git
from iic.provenance.terminal import Terminal
from iic.provenance.why import Answer, left_over
from iic.provenance.why import why as compare
from iic.records import paths
from iic.records.files import RecordError

log = logging.getLogger(__name__)

ScaleOption = Annotated[str, typer.Option(help="One of the files in params/scales/.")]

SHORT = 10
"""Jobs that were never run are listed one by one up to so many."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    for verb in (audit, why, accept, restore):
        app.command()(verb)


def audit(
    model: Annotated[
        Path | None, typer.Argument(help="A model of `iic fit`, in place of a scale.")
    ] = None,
    scale: ScaleOption = "mini",
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
    ] = 60.0,
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
            signers=signers_of(signers, require_signed),
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


def why(
    target: Annotated[
        str, typer.Argument(help="A run (digits/iic or digits/iic/seed0), table, figure or path.")
    ],
    scale: ScaleOption = "mini",
) -> None:
    """Say why TARGET would run again: which code, settings, data or parents have changed."""
    chosen = _scale_of(target, scale)
    console = Terminal(soft_wrap=True, highlight=False)
    plan = load_plan(chosen)
    try:
        planned_jobs = jobs.find(plan, target)
    except jobs.UnknownTarget:
        if remark := left_over(plan, target):
            raise IICError(f"{target}: {remark}") from None
        raise
    for job in planned_jobs:
        _answer(console, compare(job))


def accept(
    run: Annotated[
        str, typer.Argument(help="Run, e.g. digits/iic; or one seed, digits/iic/seed0.")
    ],
    because: Annotated[str, typer.Option(help="Why the change of code alters no number.")],
    scale: ScaleOption = "mini",
) -> None:
    """Keep a finished training across a change of code that does not alter its numbers.

    Where nothing but requirements.lock changed, tables and figures can be kept as well, by name.
    """
    console = Terminal(soft_wrap=True, highlight=False)
    for accepted in add_acceptance(jobs.find(load_plan(scale), run), because):
        console.print(Text(f"{accepted.job.name}: accepted"))
        for change in accepted.changed:
            console.print(Text(f"  {change}", style="dim"))


def restore(
    scale: ScaleOption = "mini",
    cores: Annotated[int, typer.Option(min=1, help="Cores for obtaining missing data.")] = 1,
    remote: Annotated[
        str | None,
        typer.Option(help="Name of the DVC remote to pull from; the default one if left out."),
    ] = None,
    no_pull: Annotated[
        bool, typer.Option("--no-pull", help="Ask no remote: verify what is here.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(help="Folder or URL that is asked first for missing data; also IIC_MIRROR."),
    ] = None,
) -> None:
    """Bring data and artifacts back from DVC, and verify every result by its receipt.

    Results in git need no restore to count as done. With artifacts, figures and finetunings can be
    made again without the trainings that they read. Data and artifacts that cannot be had are
    named, with what cannot be done without them.

    Exit status: 0 verified; 1 a file is not what its receipt says, or there is nothing to restore;
    3 verified, but some results are of other code, settings or data than today's.
    """
    from iic.provenance.absent import explained
    from iic.provenance.restore import restore as bring_back

    if no_pull and remote is not None:
        raise IICError("--no-pull asks no remote: leave --remote out, or --no-pull")
    console = Terminal(soft_wrap=True, highlight=False)
    restoration = bring_back(
        load_plan(scale), cores=cores, remote=remote, from_dvc=not no_pull, mirror=mirror
    )
    console.print(
        Text(
            f"{restoration.verified} receipts verified; {len(restoration.left)} jobs are left to do"
        )
    )
    for absence in restoration.absent:
        line = Text(f"{absence.what}: ", style="yellow").append(absence.forbids, style="default")
        console.print(line.append(f" -> {absence.remedy}" if absence.remedy else ""))
    left = [answer for answer in restoration.left if not explained(answer, scale)]
    # a scale of which little was ever run has hundreds of those
    never = [answer for answer in left if answer.status == "never run"]
    few = len(never) <= SHORT
    for answer in left:
        if few or answer.status != "never run":
            _answer(console, answer)
    if not few:
        console.print(Text(f"{len(never)} jobs were never run: see iic status --scale {scale}"))
    if restoration.drifted:
        raise typer.Exit(3)


def _scale_of(target: str, scale: str) -> str:
    """A path says its scale itself."""
    parts = Path(target).parts
    return parts[1] if len(parts) > 2 and parts[0] == "results" else scale


def _answer(console: Terminal, answer: Answer) -> None:
    style = "green" if answer.fresh else "yellow"
    console.print(Text(f"{answer.job.name}: ").append(answer.status, style=style))
    for reason in answer.reasons:
        console.print(Text(f"  {reason}"))
    for line in answer.basis:
        console.print(Text(f"  {line}", style="dim"))
