"""Verbs around the workflow: ``run`` and ``dvc sync``."""

from __future__ import annotations

import importlib.util
import os
import pwd
import sys
from pathlib import Path
from typing import Annotated

import typer

from iic.cli.dvc import DVC_FILE, dvc_yaml
from iic.params.config import read_config
from iic.params.errors import IICError
from iic.records.files import write_text
from iic.records.paths import PREPARED, RAW, RESULTS, SCRATCH

DVC_STAGE = "DVC_STAGE"
"""Set by DVC for the command of a stage."""
DEFAULT_PROFILE = "workflow/profiles/default"
dvc_app = typer.Typer(help="Keep dvc.yaml in step with params/.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(run)
    app.add_typer(dvc_app, name="dvc")


def run(
    targets: Annotated[list[str], typer.Argument(help="Targets of the workflow, e.g. table_1.")],
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
) -> None:
    """Run the workflow to TARGETS: what each stage of dvc.yaml calls.

    Cores and executor come from the profile in SNAKEMAKE_PROFILE, so that the command, and with it
    dvc.lock, is the same on a laptop and on a cluster.
    """
    read_config({"scale": scale})
    if importlib.util.find_spec("snakemake") is None:
        raise IICError("snakemake is not installed here: run `make setup`, and activate .venv")
    if DVC_STAGE in os.environ:
        _refuse_links()
    command = [sys.executable, "-m", "snakemake", "--config", f"scale={scale}", "--", *targets]
    environment = {"SNAKEMAKE_PROFILE": DEFAULT_PROFILE, **os.environ, **stand_ins()}
    # in place of this process, so that signals reach Snakemake and the exit status is its own
    os.execve(sys.executable, command, environment)


def _refuse_links() -> None:
    """Before hours of work, what DVC says after them: its outs lie inside of the clone."""
    root = Path.cwd().resolve()
    for folder in (RAW.parent, RAW, PREPARED, RESULTS):
        if not (target := folder.resolve()).is_relative_to(root):
            raise IICError(
                f"{folder}: a link to {target}, outside of the clone, where DVC takes no outs\n"
                "  remedy: snakemake in place of dvc repro, or a bind mount in place of the link"
            )


def stand_ins() -> dict[str, str]:
    """A home and a name for a user who has none, as in a container: Snakemake asks for both."""
    given = {}
    home = Path(os.environ.get("HOME", ""))
    if not home.is_absolute() or not os.access(home, os.W_OK):
        given["HOME"] = str(Path(SCRATCH / "home").absolute())
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        name = f"user{os.getuid()}"
        given |= {key: os.environ.get(key, name) for key in ("USER", "LOGNAME")}
    return given


@dvc_app.command()
def sync(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where dvc.yaml is out of date.")
    ] = False,
) -> None:
    """Write dvc.yaml from the scales and datasets in params/."""
    content = dvc_yaml()
    path = Path(DVC_FILE)
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return
    if check:
        raise IICError(
            f"{path}: out of date with params/ or with the results in git: run `iic dvc sync` and "
            "commit it"
        )
    write_text(path, content)
