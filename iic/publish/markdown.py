"""A table in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iic.publish.cells import Line
from iic.publish.layout import Head, Layout, count, score
from iic.publish.published import Published

NOTHING = "–"


def to_markdown(
    layout: Layout, name: str, published: Published, origins: Mapping[str, list[str]]
) -> bytes:
    """The table in the paper's layout, published numbers beside ours, and every explanation.

    Args:
        layout: The arranged table.
        name: Name of the table, for links to the files beside it.
        published: What the paper prints there.
        origins: References of methods and datasets, from `iic.publish.origins`.
    """
    several = bool(layout.used_fidelities)
    top = ["Method", "Selection"] + (["Fidelity"] if several else [])
    for head in layout.heads:
        top += _column_heads(head)
    body = []
    for entry in layout.entries:
        cells = [_escape(f"{entry.name} {entry.mark}".strip()) + _note(layout, entry.notes)]
        cells.append(f"`{entry.selection}`" if entry.selection else NOTHING)
        if several:
            cells.append(f"`{entry.fidelity}`" if entry.fidelity else NOTHING)
        for head in layout.heads:
            line = entry.lines[head.paper]
            if head.published:
                cells.append(_published(line, published))
            if head.ours:
                cells.append(_ours(line, _note(layout, entry.cell_notes(line))))
        body.append(cells)
    text_columns = 3 if several else 2
    rule = ["---"] * text_columns + ["---:"] * (len(top) - text_columns)
    parts = [f"# {_escape(layout.title)}", _escape(layout.caption)]
    parts.append("\n".join(_row(cells) for cells in [top, rule, *body]))
    parts += _explanations(layout, name, origins)
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _column_heads(head: Head) -> list[str]:
    names = [f"{head.paper}, published"] if head.published else []
    return [_escape(name) for name in names + ([f"{head.text}, ours"] if head.ours else [])]


def _published(line: Line, published: Published) -> str:
    number = line.published
    if number is None:
        return NOTHING
    return _escape(score(number.value, number.std) + published.number_marks(number))


def _note(layout: Layout, notes: Iterable[str]) -> str:
    letters = layout.letters_of(notes)
    return f"<sup>{letters}</sup>" if letters else ""


def _ours(line: Line, note: str) -> str:
    record = line.record
    if record.ours_mean is None:
        return NOTHING + note
    text = f"**{score(record.ours_mean, record.ours_std)}** ({count(line)}){note}"
    return text + (f" {record.verdict}" if record.verdict else "")


def _explanations(layout: Layout, name: str, origins: Mapping[str, list[str]]) -> list[str]:
    ours = any(head.ours for head in layout.heads)
    known = _escape("; ".join(layout.sources))
    sources = f"Published numbers: {known}. " if known else "Nothing of this is published. "
    files = f"[{name}.csv]({name}.csv) has every number, "
    receipts = f"[{name}.sources.json]({name}.sources.json) the receipts that it comes from."
    return [
        _escape(layout.spread) if ours else "",
        _list(f"<sup>{letter}</sup> {_escape(note)}" for letter, note in layout.notes.items()),
        _legend("Marks of the paper", layout.marks, code=False),
        _legend("Selections, how the reported model is picked", layout.used_selections),
        _legend("Fidelities", layout.used_fidelities),
        _legend("Verdicts", layout.used_verdicts, code=False),
        *(_escape(text) for text in layout.elsewhere),
        _legend(
            "Methods and data that ran (`iic cite NAME` prints the BibTeX)",
            {one: "; ".join(texts) for one, texts in origins.items()},
        ),
        f"{sources}{files}{receipts}",
    ]


def _legend(title: str, items: Mapping[str, str], *, code: bool = True) -> str:
    if not items:
        return ""
    sign = (lambda name: f"`{name}`") if code else _escape
    return f"{title}:\n\n" + _list(f"{sign(name)}: {_escape(t)}" for name, t in items.items())


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Keep signs of the text from being read as Markdown."""
    for sign in "\\|*_<":
        text = text.replace(sign, f"\\{sign}")
    return text
