"""Tables in GitHub's Markdown: how it looks, not what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iic.publish.layout import Layout
from iic.publish.wording import NOTHING, CellText, Grid, Legend


def to_markdown(layout: Layout, name: str) -> bytes:
    """The table in the paper's layout, published numbers beside ours, and every explanation.

    Args:
        layout: The arranged table.
        name: Name of the table, for links to the files beside it.
    """
    heads = [
        f"{head.paper if part == 'published' else head.text}, {part}"
        for head in layout.heads
        for part in head.parts
    ]
    words = layout.first_heads
    body = [[_cell(cell) for cell in layout.row(entry)] for entry in layout.entries]
    return _page(
        f"# {_escape(layout.title)}",
        _escape(layout.caption),
        _table([*words, *map(_escape, heads)], body, len(words)),
        _escape(layout.spread),
        _list(f"<sup>{letter}</sup> {_escape(note)}" for letter, note in layout.notes.items()),
        *map(_legend, layout.legends),
        *map(_escape, layout.elsewhere),
        _legend(
            Legend(
                "Methods and data that ran (`iic cite NAME` prints the BibTeX)",
                {origin: "; ".join(texts) for origin, texts in layout.origins.items()},
            )
        ),
        f"{_escape(layout.sources)} [{name}.csv]({name}.csv) has every number, "
        f"[{name}.sources.json]({name}.sources.json) the receipts that it comes from.",
    )


def grids_to_markdown(
    title: str, caption: str, grids: Sequence[Grid], notes: Sequence[str]
) -> bytes:
    """Grids of text below a title and a caption, notes below them."""
    parts = [f"# {title}", caption]
    for grid in grids:
        parts += [f"## {grid.title}"] if grid.title else []
        parts.append(_table(grid.head, grid.body, grid.words))
    return _page(*(part.replace("*", r"\*").replace("_", r"\_") for part in (*parts, *notes)))


def _page(*parts: str) -> bytes:
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _table(head: Sequence[str], body: Iterable[Sequence[str]], words: int) -> str:
    """The table, its first `words` columns to the left, the others to the right."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])


def _cell(cell: CellText) -> str:
    notes = f"<sup>{cell.notes}</sup>" if cell.notes else ""
    if cell.kind == "word" and cell.text != NOTHING:
        return f"`{cell.text}`"
    if not cell.detail:
        return _escape(cell.text + cell.marks) + notes
    verdict = f" {cell.verdict}" if cell.verdict else ""
    return f"**{cell.text}** ({cell.detail}){notes}{verdict}"


def _legend(legend: Legend) -> str:
    if not legend.texts:
        return ""
    lines = (
        f"{f'`{name}`' if legend.code else _escape(name)}: {_escape(text)}"
        for name, text in legend.texts.items()
    )
    return f"{legend.title}:\n\n{_list(lines)}"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _escape(text: str) -> str:
    """Keep signs of the text from being read as Markdown."""
    for sign in "\\|*_<":
        text = text.replace(sign, f"\\{sign}")
    return text
