"""Verbs that answer for the numbers: ``why``, ``accept``, ``restore``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from iic.params.errors import IICError
from iic.params.runs import load_plan
from iic.provenance import jobs
from iic.provenance.accept import accept as add_acceptance
from iic.provenance.terminal import Terminal
from iic.provenance.why import Answer, left_over
from iic.provenance.why import why as compare

log = logging.getLogger(__name__)

ScaleOption = Annotated[str, typer.Option(help="One of the files in params/scales/.")]

SHORT = 10
"""Jobs that were never run are listed one by one up to so many."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    for verb in (why, accept, restore):
        app.command()(verb)


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
