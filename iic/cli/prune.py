"""The verb ``prune``: shows files that no job makes any more, and deletes them where asked."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer
from rich.text import Text

from iic.params.escaping import visible
from iic.params.runs import load_plan
from iic.provenance.terminal import Terminal
from iic.records.files import dump_json
from iic.records.sizes import size

MARKS = {True: "  (in git)", False: "", None: "  (git does not say whether it is in git)"}

ScaleOption = Annotated[str, typer.Option(help="One of the files in params/scales/.")]


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(prune)


def prune(
    scale: ScaleOption = "mini",
    delete: Annotated[
        bool, typer.Option("--delete", "--yes", help="Delete them; else they are only listed.")
    ] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Also datasets, raw and prepared, that no scale uses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List what no job of today's plan makes: left-overs of removed runs, seeds and displays.

    Looks at results/SCALE, scratch/SCALE and logs/SCALE, and for folders scratch/audit-* in which
    an audit with --rerun was killed; wait for one that runs. Deletes nothing without --delete, and
    nothing at all while a Snakemake holds the clone.
    """
    from iic.provenance.prune import prune as look

    pruned = look(load_plan(scale), data=data, delete=delete)
    if as_json:
        print(visible(dump_json(pruned.model_dump(mode="json"))), end="")
        return
    console = Terminal(soft_wrap=True, highlight=False)
    for folder, group in groupby(pruned.files, lambda file: file.path.rpartition("/")[0]):
        files = list(group)
        together = size(sum(file.bytes for file in files))
        console.print(Text(f"{folder}/").append(f"  {together}", style="dim"))
        for file in files:
            mark = MARKS[file.in_git]
            mark += "  (left by a killed audit)" if file.place == "re-runs" else ""
            line = Text(f"  {file.path.rpartition('/')[2]}  {size(file.bytes)}")
            console.print(line.append(mark, style="yellow"))
    if not pruned.files:
        console.print(Text(f"{scale}: every file belongs to a job of the plan", style="green"))
        return
    number = f"{len(pruned.files)} files, {size(pruned.bytes)}"
    if delete:
        console.print(Text(f"{scale}: deleted {number}", style="bold"))
    else:
        console.print(Text(f"{scale}: {number} that no job makes; --delete deletes them"))
    if in_git := sum(file.in_git is True for file in pruned.files):
        fate = "commit their removal, or undo it with git restore" if delete else "see above"
        console.print(Text(f"{in_git} of them in git: {fate}", style="yellow"))
    if delete and any(file.place in ("results", "data") for file in pruned.files):
        # DVC has hashed them as part of their folder
        console.print(Text("where DVC is in use: dvc --wait-for-lock commit"))
