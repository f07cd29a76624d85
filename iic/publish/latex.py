"""Tables in LaTeX, for the package booktabs: how they look, not what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iic.publish.latex_text import escape, row_start
from iic.publish.layout import Layout
from iic.publish.wording import CellText, Grid, Legend


def to_latex(layout: Layout, name: str) -> bytes:
    """The table as a ``table*`` environment, published numbers beside ours.

    Args:
        layout: The arranged table.
        name: Name of the table, which becomes its label.
    """
    words = layout.first_heads
    first, second = [""] * len(words), [*words]
    rules = []
    for head in layout.heads:
        start = len(second) + 1
        first.append(f"\\multicolumn{{{len(head.parts)}}}{{c}}{{{escape(head.text)}}}")
        second += head.parts
        rules.append(f"\\cmidrule(lr){{{start}-{len(second)}}}")
    rows = [_row(first), "".join(rules), _row(second), r"\midrule"]
    rows += [_row(map(_cell, layout.row(entry))) for entry in layout.entries]
    caption, columns = f"{layout.title}. {layout.caption}", _columns(len(words), len(second))
    return _environment(name, caption, columns, rows, _explanations(layout))


def grids_to_latex(name: str, caption: str, grids: Sequence[Grid], notes: Sequence[str]) -> bytes:
    """Grids of text, each an environment of its own with the caption and the notes."""
    environments = []
    for grid in grids:
        rows = [_row(map(escape, grid.head)), r"\midrule"]
        rows += [_row(map(escape, cells)) for cells in grid.body]
        label = f"{name}_{grid.label}" if grid.label else name
        text = " ".join(part for part in (caption, grid.caption, *notes) if part)
        columns = _columns(grid.words, len(grid.head))
        environments.append(_environment(label, text, columns, rows, []))
    return b"\n".join(environments)


def _environment(
    name: str, caption: str, columns: str, rows: list[str], explanations: list[str]
) -> bytes:
    small = ["\\par\\smallskip\\footnotesize\\raggedright", *explanations] if explanations else []
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        f"\\caption{{{escape(caption)}}}",
        f"\\label{{tab:{name}}}",
        f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *small,
        r"\end{table*}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _columns(words: int, columns: int) -> str:
    return "l" * words + "r" * (columns - words)


def _row(cells: Iterable[str]) -> str:
    return row_start(" & ".join(cells)) + r" \\"


def _cell(cell: CellText) -> str:
    text = escape(f"{cell.text} ({cell.detail})" if cell.detail else cell.text)
    marks = f"$^{{{escape(cell.marks)}}}$" if cell.marks else ""
    notes = f"\\textsuperscript{{{cell.notes}}}" if cell.notes else ""
    verdict = f", {escape(cell.verdict)}" if cell.verdict else ""
    return f"{text}{marks}{notes}{verdict}"


def _explanations(layout: Layout) -> list[str]:
    texts = [layout.spread, *map(_legend, layout.legends)]
    lines = [escape(text) for text in texts if text]
    lines += [
        f"\\textsuperscript{{{letter}}} {escape(note)}." for letter, note in layout.notes.items()
    ]
    lines = list(map(row_start, lines))
    return [line + r"\\" for line in lines[:-1]] + lines[-1:]


def _legend(legend: Legend) -> str:
    return "; ".join(f"{name}: {text}" for name, text in legend.texts.items()) + "."
