"""``iic <verb>``: registers every verb and turns expected errors into one clear message."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path

import typer
from typer.models import CommandInfo

from iic.cli import (
    cite,
    export,
    jobs,
    own,
    provenance,
    prune,
    recluster,
    report,
    status,
    tabulate,
    workflow,
)
from iic.cli.own_clone import use_own_code
from iic.params.errors import IICError

PANELS = {
    "Your own images": ("fit", "predict", "explain", "doctor"),
    "Look": ("status", "audit", "why"),
    "Run": ("run", "recluster", "restore", "accept", "prune", "dvc"),
    "Share": ("cite", "export"),
    "Called by the workflow, one verb a rule": (
        "download", "prepare", "train", "evaluate", "tabulate", "draw", "report",
    ),
}  # fmt: skip
"""How ``iic --help`` groups the verbs."""

app = typer.Typer(
    name="iic",
    help="Reference reproduction of Invariant Information Clustering (ICCV 2019).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
jobs.register(app)
tabulate.register(app)
report.register(app)
provenance.register(app)
prune.register(app)
status.register(app)
cite.register(app)
export.register(app)
workflow.register(app)
recluster.register(app)
own.register(app)


def _group() -> None:
    panels = {verb: panel for panel, verbs in PANELS.items() for verb in verbs}
    for group in app.registered_groups:
        group.rich_help_panel = panels[str(group.name)]
    for command in app.registered_commands:
        command.rich_help_panel = panels[_name(command)]
    # panels are shown in the order in which their first verbs come
    app.registered_commands.sort(key=lambda command: [*panels].index(_name(command)))


def _name(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__


_group()


@app.callback()
def _setup(context: typer.Context) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # settings, results and the workflow are found from the root of the clone; help needs none
    outside = not Path("params").is_dir() or not Path("workflow").is_dir()
    verb = context.invoked_subcommand
    of_a_model = verb == "audit" and not sys.argv[-1].startswith("-")
    of_a_model |= verb == "export" and "model" in sys.argv
    needed = verb not in PANELS["Your own images"] and not of_a_model
    if outside and needed and "--help" not in sys.argv[1:]:
        raise IICError(
            f"{Path.cwd()}: no params/ and workflow/ here: run iic in the root of the clone"
        )


def main() -> None:
    """Run the command line.

    Exit status 0 means that all is well. Expected errors are printed without a traceback, which
    ``IIC_TRACEBACK=1`` brings back.
    """
    for stream in (sys.stdout, sys.stderr):
        # a terminal of another alphabet, or a path that is not UTF-8: shown as far as it can be
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        use_own_code()
        app(standalone_mode=True)
    except IICError as error:
        if os.environ.get("IIC_TRACEBACK"):
            raise
        logging.getLogger("iic").error("error: %s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
