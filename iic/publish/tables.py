"""Tables: tidy csv, Markdown, LaTeX and the list of sources, from files on disk alone.

`build` is pure: the same files give the same bytes, so that the audit rebuilds every published
table and compares.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from iic.params.runs import Plan
from iic.publish.arrange import lay_out
from iic.publish.built import Built, write_files
from iic.publish.cells import Missing, gather
from iic.publish.latex import to_latex
from iic.publish.markdown import to_markdown
from iic.publish.origins import origins
from iic.publish.published import load_published
from iic.records import paths
from iic.records.sources import Sources
from iic.records.table import dump_table


def build(plan: Plan, name: str, root: Path = Path(), missing: Missing | None = None) -> Built:
    """A table of experiments, or a listing that is computed from the code.

    Args:
        plan: What the scale holds; `name` is one of its tables or listings.
        name: Name of the table.
        root: Root of the clone, below which evaluations and published numbers are read.
        missing: Trainings that a table of experiments does not wait for; it then says in its title
            that it is not the finished one.

    Raises:
        SettingsError: The published numbers do not fit the table's file, or the file of references
            is damaged.
        RecordError: An evaluation or its receipt is damaged, or an evaluation has no receipt.
    """
    if name in plan.listings:
        built: Built = importlib.import_module(plan.listings[name].module).build(plan, name, root)
        return built
    published = load_published(plan.tables[name], root)
    lines = gather(plan, name, published, root, missing)
    layout = lay_out(plan, name, lines, published, origins(plan, name, root))
    if missing is not None:
        trainings = [(run.id, seed) for run in plan.table_runs(name) for seed in run.seeds]
        measured = sum(training not in missing for training in trainings)
        layout = layout.unfinished(measured, len(trainings))
    return Built(
        csv=dump_table(line.record for line in lines),
        md=to_markdown(layout, name),
        tex=to_latex(layout, name),
        sources=Sources(scale=plan.scale.name, name=name, cells=[line.cell for line in lines]),
    )


def write(plan: Plan, name: str, root: Path = Path()) -> list[Path]:
    """Build a table and write its files, each whole or not at all.

    Returns:
        The files, relative to `root`.
    """
    return write_files(build(plan, name, root), paths.table(plan.scale.name, name), root)


def write_unfinished(plan: Plan, name: str, missing: Missing, root: Path = Path()) -> list[Path]:
    """As `write`, but without waiting for some trainings, and apart from the results."""
    built = build(plan, name, root, missing)
    return write_files(built, paths.partial_table(plan.scale.name, name), root)
