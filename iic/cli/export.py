"""The verbs ``export ...``: what is known here, in forms that other programs read."""

from __future__ import annotations

from typing import Annotated

import typer

from iic.params.errors import IICError

export = typer.Typer(help="Write what other programs read.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.add_typer(export, name="export")


@export.command()
def schemas(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where a schema is out of date.")
    ] = False,
) -> None:
    """Write the JSON schemas of settings and records to docs/schemas/."""
    from iic.provenance.schemas.publish import FOLDER, differing, publish

    if not check:
        for path in publish():
            print(path)
    elif wrong := differing():
        raise IICError(
            f"{FOLDER}: out of date with the models: {', '.join(path.name for path in wrong)}\n"
            "  remedy: run `iic export schemas` and commit what it writes"
        )
