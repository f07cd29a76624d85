"""Where the methods and data of a table come from: one short reference each.

Whole entries are in ``params/references.bib`` and the catalogue; ``iic cite`` prints them.
"""

from __future__ import annotations

import re
from pathlib import Path

from iic.params.modules import method_name
from iic.params.references import REFERENCES, load_references
from iic.params.runs import PARAMS, Plan

FIELD = re.compile(r"^\s*(\w+) = \{(.*)\},?$", re.MULTILINE)
ACCENT = re.compile(r"\{?\\[\"'^`~c=.uvH](?:\{(\\?\w)\}|(\w))\}?")
MOST_NAMES = 3
"""Authors that are named; of more, the first and "et al."."""

FILE = PARAMS / REFERENCES


def origins(plan: Plan, name: str, root: Path = Path()) -> dict[str, list[str]]:
    """References of a table's methods and datasets, in the order in which the table has them.

    Args:
        plan: What the scale holds.
        name: Name of a table of experiments.
        root: Root of the clone.

    Returns:
        Name for ``iic cite``, of a run or a dataset, to its references; methods and
        datasets that do not run at this scale are not among them.

    Raises:
        SettingsError: The file of references is damaged.
    """
    references = load_references(root / FILE)
    runs = {run.id: run for run in plan.table_runs(name)}
    rows = [run for row in plan.tables[name].rows for run in row.runs]
    ordered = sorted(runs.values(), key=lambda run: rows.index(run.name))
    references_of: dict[str, list[str]] = {}
    for run in ordered:
        method = method_name(run.method)
        texts = [short(reference.text) for reference in references if method in reference.methods]
        references_of.setdefault(run.name.split("-")[0], texts)
    for dataset in dict.fromkeys(run.dataset for run in ordered):
        citation = plan.datasets[dataset].citation
        references_of[dataset] = [short(citation)] if citation else []
    return {name: texts for name, texts in references_of.items() if texts}


def short(entry: str) -> str:
    """A BibTeX entry in a line: names, title and year."""
    fields = {key.lower(): _plain(value) for key, value in FIELD.findall(entry)}
    authors = fields.get("author", "").split(" and ")
    names = [name.split(",")[0].strip() for name in authors if name.strip()]
    if len(names) > MOST_NAMES:
        names = [f"{names[0]} et al."]
    who = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return ", ".join(filter(None, [who, fields.get("title"), fields.get("year")]))


def _plain(value: str) -> str:
    """Text of a BibTeX value: accented letters lose their accents, and braces go."""
    return re.sub(r"[{}]", "", ACCENT.sub(lambda match: match[1] or match[2], value))
