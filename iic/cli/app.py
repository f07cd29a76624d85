"""``iic <verb>``: registers every verb and turns expected errors into one clear message."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys

import typer
from typer.models import CommandInfo

from iic.cli import (
    audit,
    cite,
    export,
    jobs,
    own,
    provenance,
    prune,
    recluster,
    report,
    served,
    sign,
    status,
    tabulate,
    workflow,
)
from iic.cli.logs import VisibleFormatter
from iic.cli.own_clone import require_clone, use_own_code
from iic.params.errors import IICError
from iic.provenance import isolated

PANELS = {
    "Your own images": ("fit", "predict", "explain", "import-released", "doctor"),
    "Look": ("status", "audit", "why"),
    "Run": ("run", "recluster", "restore", "accept", "prune", "dvc"),
    "Share": ("cite", "sign", "export"),
    "Called by the workflow, one verb a rule": (
        "download", "prepare", "train", "evaluate", "tabulate", "draw", "report",
    ),
}  # fmt: skip
"""How ``iic --help`` groups the verbs."""

WITHOUT_CLONE = (*PANELS["Your own images"], "audit", "export")
"""Verbs that need no clone; the last two ask for one unless they are about a model of `iic fit`."""

DISK = frozenset(
    (errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS)
)
"""What the system says of a disk that is full, broken or read-only, and of rights."""

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
audit.register(app)
provenance.register(app)
prune.register(app)
status.register(app)
cite.register(app)
sign.register(app)
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
    return command.name or command.callback.__name__.replace("_", "-")


_group()


@app.callback()
def _setup(context: typer.Context) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if context.invoked_subcommand not in WITHOUT_CLONE:
        require_clone()


def main() -> None:
    """Run the command line.

    Exit status 0 means that all is well. Expected errors, and those of a disk or of rights, are
    printed without a traceback, which ``IIC_TRACEBACK=1`` brings back.
    """
    for stream in (sys.stdout, sys.stderr):
        # a terminal of another alphabet, or a path that is not UTF-8: shown as far as it can be
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        use_own_code()
        # the jobs of a workflow run in the environment as it is, and their audit is one of them
        if sys.argv[1:2] == ["audit"] and served.VARIABLE not in os.environ:
            isolated.restart()
        app(standalone_mode=True)
    except (IICError, OSError) as error:
        said = str(error)
        if isinstance(error, OSError):
            if error.errno not in DISK:
                raise
            said = (
                f"{error.filename or 'the disk'}: {error.strerror}\n  remedy: make room, mend the "
                "disk or the rights, then give the same command again"
            )
        if os.environ.get("IIC_TRACEBACK"):
            raise
        logging.getLogger("iic").error("error: %s", said)
        sys.exit(1)


if __name__ == "__main__":
    main()
