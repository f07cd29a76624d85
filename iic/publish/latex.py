"""A table in LaTeX, for the package booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iic.publish.cells import Line
from iic.publish.latex_text import escape, row_start
from iic.publish.layout import Head, Layout, count, score
from iic.publish.published import Published


def to_latex(layout: Layout, name: str, published: Published) -> bytes:
    """The table as a ``table*`` environment, published numbers beside ours.

    Args:
        layout: The arranged table.
        name: Name of the table, which becomes its label.
        published: What the paper prints there.
    """
    several = bool(layout.used_fidelities)
    text_columns = 3 if several else 2
    first, second = [""] * text_columns, ["Method", "Selection"] + ["Fidelity"] * several
    rules, position = [], text_columns + 1
    for head in layout.heads:
        subheads = _subheads(head)
        first.append(f"\\multicolumn{{{len(subheads)}}}{{c}}{{{escape(head.text)}}}")
        second += subheads
        rules.append(f"\\cmidrule(lr){{{position}-{position + len(subheads) - 1}}}")
        position += len(subheads)
    rows = [_cells(first), "".join(rules), _cells(second), r"\midrule"]
    for entry in layout.entries:
        cells = [
            escape(f"{entry.name} {entry.mark}".strip()) + _note(layout, entry.notes),
            escape(entry.selection or "–"),
        ]
        if several:
            cells.append(escape(entry.fidelity or "–"))
        for head in layout.heads:
            line = entry.lines[head.paper]
            if head.published:
                cells.append(_published(line, published))
            if head.ours:
                cells.append(_ours(line, _note(layout, entry.cell_notes(line))))
        rows.append(_cells(cells))
    return _environment(
        name,
        caption=f"{layout.title}. {layout.caption}",
        columns="l" * text_columns + "r" * (position - text_columns - 1),
        rows=rows,
        explanations=_explanations(layout),
    )


def booktabs(
    name: str, caption: str, columns: str, head: Iterable[str], body: Iterable[Iterable[str]]
) -> bytes:
    """A plain table of text cells, escaped here, with one line of heads."""
    rows = [_cells(map(escape, head)), r"\midrule"]
    rows += [_cells(map(escape, cells)) for cells in body]
    return _environment(name, caption, columns, rows, [])


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


def _subheads(head: Head) -> list[str]:
    return ["published"] * head.published + ["ours"] * head.ours


def _published(line: Line, published: Published) -> str:
    number = line.published
    if number is None:
        return escape("–")
    marks = published.number_marks(number)
    return escape(score(number.value, number.std)) + (f"$^{{{escape(marks)}}}$" if marks else "")


def _note(layout: Layout, notes: Iterable[str]) -> str:
    letters = layout.letters_of(notes)
    return f"\\textsuperscript{{{letters}}}" if letters else ""


def _ours(line: Line, note: str) -> str:
    record = line.record
    if record.ours_mean is None:
        return escape("–") + note
    text = f"{score(record.ours_mean, record.ours_std)} ({count(line)})"
    return escape(text) + note + (f", {escape(record.verdict)}" if record.verdict else "")


def _explanations(layout: Layout) -> list[str]:
    texts = [layout.spread] if _any_ours(layout) else []
    marks = {f"{sign}": text for sign, text in layout.marks.items()}
    texts += [_legend(items) for items in (
        marks, layout.used_selections, layout.used_fidelities, layout.used_verdicts
    )]  # fmt: skip
    lines = [escape(text) for text in texts if text]
    lines += [
        f"\\textsuperscript{{{letter}}} {escape(note)}." for letter, note in layout.notes.items()
    ]
    lines = list(map(row_start, lines))
    return [line + r"\\" for line in lines[:-1]] + lines[-1:]


def _any_ours(layout: Layout) -> bool:
    return any(head.ours for head in layout.heads)


def _legend(items: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {text}" for name, text in items.items()) + "." if items else ""


def _cells(cells: Iterable[str]) -> str:
    return row_start(" & ".join(cells)) + r" \\"
