"""``iic partial``: tables of what was measured, after a run in which jobs failed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from iic.params.runs import plan

STYLES = {"failed": "red", "stopped": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(partial)


def partial(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables; all of which something was measured or failed, if left out."),
    ] = None,
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
) -> None:
    """Write what was measured of tables that could not be finished, the gaps marked.

    Goes to results/SCALE/partial/, apart from the results: nothing else is changed. The workflow
    calls it after a failure; a table's partial form is deleted once the table itself is made.
    """
    from iic.provenance.partial import make

    made = make(plan(scale), tables or ())
    console = Console(soft_wrap=True, highlight=False)
    if not made:
        console.print(Text(f"{scale}: no table to write in part"))
    told: set[str] = set()
    for table in made:
        text = f"{table.path}: {table.measured} of {table.trainings} trainings"
        console.print(Text(text, style="bold"))
        # what came after a failure may be most of a scale: the table itself names it
        for missing in table.missing:
            if missing.state in STYLES and missing.note not in told:
                console.print(Text(f"  {missing.note}", style=STYLES[missing.state]))
            told.add(missing.note)
