"""The verb ``sign``: answer for the results of a scale with a key of SSH."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from iic.params.runs import load_plan
from iic.provenance.terminal import Terminal

SignersOption = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Whose signatures count: lines `alice ssh-ed25519 AAAA...`, as ssh-keygen has it.",
    ),
]
RequireOption = Annotated[
    bool, typer.Option("--require-signed", help="A result without a signature is a failure.")
]


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(sign)


def sign(
    key: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="Private key of SSH; with an agent, the public one."
        ),
    ],
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
) -> None:
    """Audit a scale and sign what was verified: receipts, tables, figures and weights, by hash.

    Writes signatures/SCALE/*.json, an in-toto statement, and its signature beside it. Commit both.
    Others verify it with: iic audit --scale SCALE --signers FILE.
    """
    from iic.provenance.audit.run import audit
    from iic.provenance.audit.signed import signed_files
    from iic.provenance.audit.tree import Tree
    from iic.provenance.signing import sign as sign_statement
    from iic.provenance.signing import statement

    plan = load_plan(scale)
    what = statement(audit(plan), signed_files(Tree(plan)))
    path = sign_statement(what, key)
    verdict = what.predicate.verdict
    Terminal(soft_wrap=True, highlight=False).print(
        Text(f"{scale}: {len(what.subject)} files signed ({verdict}): {path} and {path}.sig")
    )
