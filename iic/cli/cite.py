"""The verb ``cite``: BibTeX of methods and datasets."""

from __future__ import annotations

from typing import Annotated

import typer

from iic.params.references import citations


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(cite)


def cite(
    names: Annotated[
        list[str],
        typer.Argument(help="Methods or datasets, as params/ names them, e.g. spectral mnist."),
    ],
) -> None:
    """Print the BibTeX of methods and datasets, each entry once."""
    entries = dict.fromkeys(entry for name in names for entry in citations(name))
    print("\n\n".join(entries))
