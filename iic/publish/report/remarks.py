"""What a reader must know beside the numbers: differences from the paper, and what did not run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from iic.params.runs import Plan
from iic.publish.pages.markdown import to_html
from iic.publish.report.chains import Chains
from iic.publish.report.files import FIDELITY
from iic.publish.report.tables import TableView
from iic.publish.wording import titled
from iic.records import paths
from iic.records.table import COLUMNS

CODE = re.compile(r"`([a-z0-9_./-]+)`")
TABLES = re.compile(r"(Supplementary )?Tables? (\d+(?: and \d+)*)")
ALWAYS = ("label_free", "mean_head")
"""Selections that stand in tables of every scale."""


@dataclass(frozen=True)
class Difference:
    """One section of ``docs/fidelity.md``."""

    title: str
    body: Markup


@dataclass(frozen=True)
class Absent:
    """What was not run for one reason."""

    reason: str
    what: tuple[str, ...]


def differences(plan: Plan, chains: Chains) -> list[Difference] | None:
    """Sections that name a setting, or a run, which this scale has.

    Returns:
        In the order of the file; None where the file is not here.
    """
    path = chains.root / FIDELITY
    if not path.is_file():
        return None
    settings = {*plan.runs, *COLUMNS, *ALWAYS}
    for run in plan.runs.values():
        settings |= {f"{run.paper_dataset}/{run.name}", *_keys(run.settings_json)}
    sections = []
    for part, title, body in _sections(path.read_text(encoding="utf-8")):
        # where a section says by what it is switched, that decides; its examples are others' runs
        _, switch, deciding = body.partition("- **Switch:**")
        named = CODE.findall(deciding if switch else body)
        if _concerns(part, title, plan) and not settings.isdisjoint(named):
            sections.append(Difference(title, to_html(body, 5)))
    return sections


def _sections(text: str) -> Iterator[tuple[str, str, str]]:
    """The part that a section stands in, its title and its text."""
    part, title, lines = "", "", list[str]()
    for line in [*text.splitlines(), "## "]:
        if line.startswith(("## ", "### ")):
            if title and "\n".join(lines).strip():
                yield part, title, "\n".join(lines)
            if line.startswith("## "):
                part = line.removeprefix("## ")
            title, lines = line.lstrip("# "), []
        else:
            lines.append(line)


def _concerns(part: str, title: str, plan: Plan) -> bool:
    """Whether the scale has the tables in the title, and runs of the kind that a part is about."""
    if match := TABLES.search(title):
        prefix = "supp_table_" if match[1] else "table_"
        if not any(f"{prefix}{number}" in plan.tables for number in re.findall(r"\d+", match[2])):
            return False
    kinds = {plan.datasets[run.dataset].maps is not None for run in plan.runs.values()}
    return ("Segmentation" not in part or True in kinds) and (
        not part.startswith("Image clustering") or False in kinds
    )


def _keys(settings: object, path: str = "") -> Iterator[str]:
    """Dotted names of settings that are in use: what is null or empty changes nothing."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            if value is not None and value != []:
                here = f"{path}.{key}" if path else key
                yield here
                yield from _keys(value, here)


def absent(plan: Plan, tables: Sequence[TableView], chains: Chains) -> list[Absent]:
    """Cells without a number of ours, and what has no receipt, by reason."""
    absent: dict[str, dict[str, dict[str, list[str]]]] = {}
    for view in tables:
        for line in view.layout.lines if view.layout is not None else ():
            if line.record.ours_mean is None:
                elsewhere = f"its dataset does not run at scale {plan.scale.name}"
                rows = absent.setdefault("; ".join(line.notes) or elsewhere, {})
                columns = rows.setdefault(view.title, {}).setdefault(line.record.row, [])
                if line.record.paper_column not in columns:
                    columns.append(line.record.paper_column)
    listed = [
        Absent(reason, tuple(f"{title}: {_together(rows)}" for title, rows in titles.items()))
        for reason, titles in absent.items()
    ]
    if missing := list(_without_receipt(plan, chains)):
        listed.append(Absent("not made yet, or its job failed", tuple(missing)))
    return listed


def _together(rows: dict[str, list[str]]) -> str:
    """Rows that lack the same columns, in one clause."""
    by_columns: dict[str, list[str]] = {}
    for row, columns in rows.items():
        by_columns.setdefault(", ".join(columns), []).append(row)
    return "; ".join(f"{', '.join(names)} ({heads})" for heads, names in by_columns.items())


def _without_receipt(plan: Plan, chains: Chains) -> Iterator[str]:
    scale = plan.scale.name
    for run in plan.runs.values():
        for seed in run.seeds:
            if chains.receipt(paths.RunPaths(scale, run.id, seed).receipt) is None:
                yield f"training {run.id}, seed {seed}"
    titles = {name: table.title for name, table in plan.tables.items()}
    titles |= {name: listing.title for name, listing in plan.listings.items()}
    for name, title in titles.items():
        if chains.receipt(paths.receipt_of(paths.table(scale, name))) is None:
            yield titled(name, title)
    for name, figure in plan.figures.items():
        if chains.receipt(paths.receipt_of(paths.figure(scale, name))) is None:
            yield titled(name, figure.title)
