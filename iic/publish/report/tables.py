"""Tables as the page shows them: the layout of the Markdown form, each number with its chain.

A table is arranged by the code that wrote it and compared with the csv and the sources on disk, so
that no number of the page can be another than the table's, nor lead to another's receipts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from iic.params.experiments import Table
from iic.params.runs import Plan
from iic.publish.arrange import lay_out
from iic.publish.cells import gather
from iic.publish.layout import Entry, Head, Layout
from iic.publish.origins import origins
from iic.publish.pages.markdown import to_html
from iic.publish.published import load_published
from iic.publish.report.chains import Chain, Chains, chain_id, display_id
from iic.publish.wording import NOTHING, titled
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.receipt import Receipt
from iic.records.sources import Cell, Sources
from iic.records.table import TableRow, dump_table


@dataclass(frozen=True)
class CellView:
    """What stands in one place of a table."""

    text: str
    kind: str
    """``name``, ``published``, ``ours`` or ``word``."""
    span: int = 1
    """Rows that it reaches over."""
    note: str = ""
    """Letters of footnotes."""
    small: str = ""
    verdict: str = ""
    stand_in: bool = False
    heading: str = ""
    """Which cell it is, in words, where it has a chain."""
    chain: tuple[str, ...] = ()
    """Ids of chains: the table's own, then one a seed."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableView:
    """One table or listing."""

    name: str
    title: str
    caption: str
    made: Chain
    layout: Layout | None = None
    """None for a listing."""
    rows: tuple[tuple[CellView, ...], ...] = ()
    body: Markup | None = None
    """A listing, as its Markdown form has it."""
    files: tuple[str, ...] = ()
    """The files beside it, relative to the page."""

    @property
    def cells(self) -> list[CellView]:
        """Those with a number of ours."""
        return [cell for row in self.rows for cell in row if cell.chain]

    @property
    def lines(self) -> list[TableRow]:
        """The csv's lines."""
        return [] if self.layout is None else [line.record for line in self.layout.lines]

    @property
    def verdicts(self) -> Counter[str]:
        """How often each verdict stands in it."""
        return Counter(line.verdict for line in self.lines if line.verdict)


def table_views(plan: Plan, chains: Chains) -> list[TableView]:
    """The tables and listings of a scale that have a receipt.

    Raises:
        RecordError: A table on disk is not what its evaluations and published numbers give.
    """
    views = []
    for name in (*plan.tables, *plan.listings):
        path = paths.table(plan.scale.name, name)
        receipt = chains.receipt(paths.receipt_of(path))
        if receipt is not None:
            show = _table if name in plan.tables else _listing
            views.append(show(plan, name, path, receipt, chains))
    return views


def _listing(plan: Plan, name: str, path: Path, receipt: Receipt, chains: Chains) -> TableView:
    listing = plan.listings[name]
    title = titled(name, listing.title)
    sources = read_record(chains.root / paths.sources_of(path), Sources)
    try:
        text = (chains.root / path.with_suffix(".md")).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path.with_suffix('.md')}: cannot be read: {error}") from None
    # its heading and its caption stand above it already
    _, _, below = text.partition("\n\n")
    paragraph, _, rest = below.partition("\n\n")
    below = below if paragraph.startswith(("|", "#", "-")) else rest
    return TableView(
        name,
        title,
        listing.caption,
        chains.of_display(path, title, sources, receipt),
        body=to_html(below, 4, lambda target: f"tables/{target}" if ":" not in target else None),
        files=_files(path),
    )


def _table(plan: Plan, name: str, path: Path, receipt: Receipt, chains: Chains) -> TableView:
    root, table = chains.root, plan.tables[name]
    published = load_published(table, root)
    lines = gather(plan, name, published, root)
    sources = read_record(root / paths.sources_of(path), Sources)
    same = (root / path).read_bytes() == dump_table(line.record for line in lines)
    if not same or list(map(_shown_in, sources.cells)) != [_shown_in(line.cell) for line in lines]:
        raise RecordError(
            f"{path}: not what its evaluations, settings and published numbers give now\n"
            f"  remedy: iic run --scale {plan.scale.name} {name} report"
        )
    # the receipts that the table was made from, which may have been replaced since
    lines = [replace(line, cell=cell) for line, cell in zip(lines, sources.cells, strict=True)]
    layout = lay_out(plan, name, lines, published, origins(plan, name, root))
    made = chains.of_display(path, layout.title, sources, receipt)
    return TableView(
        name,
        layout.title,
        layout.caption,
        made,
        layout,
        tuple(_rows(layout, table, chains)),
        files=_files(path),
    )


def _shown_in(cell: Cell) -> tuple[object, ...]:
    """What a cell is of."""
    runs = tuple((seed.run, seed.seed) for seed in cell.seeds)
    return cell.row, cell.column, cell.paper_column, cell.selection, cell.fidelity, runs


def _files(path: Path) -> tuple[str, ...]:
    return tuple(f"tables/{file.name}" for file in paths.table_files(path))


def _rows(layout: Layout, table: Table, chains: Chains) -> list[tuple[CellView, ...]]:
    """Lines in their order; what neighbours of one name have in common stands there once."""
    rows = []
    for _, group in groupby(layout.entries, key=lambda entry: (entry.name, entry.mark)):
        entries = list(group)
        for position, entry in enumerate(entries):
            span = len(entries) if position == 0 else 0
            cells = _first_cells(layout, entries, entry, span)
            for head in layout.heads:
                if head.published and span:
                    cell = layout.published_cell(entry, head)
                    cells.append(CellView(cell.text + cell.marks, "published", span))
                if head.ours:
                    cells.append(_ours(layout, table, entry, head, chains))
            rows.append(tuple(cells))
    return rows


def _first_cells(layout: Layout, entries: list[Entry], entry: Entry, span: int) -> list[CellView]:
    shared = [note for note in entry.notes if all(note in other.notes for other in entries)]
    cells = []
    if span:
        cells.append(CellView(entry.title, "name", span, layout.letters_of(shared)))
    own = [note for note in entry.notes if note not in shared]
    fidelity = (entry.fidelity or "") if layout.several_fidelities else ""
    note = layout.letters_of(own)
    cells.append(CellView(entry.selection or NOTHING, "word", note=note, small=fidelity))
    return cells


def _ours(layout: Layout, table: Table, entry: Entry, head: Head, chains: Chains) -> CellView:
    line, cell = entry.lines[head.paper], layout.ours_cell(entry, head)
    record = line.record
    if record.ours_mean is None:
        return CellView(cell.text, "ours", note=cell.notes)
    seeds = dict.fromkeys(chain_id(source.run, source.seed) for source in line.cell.seeds)
    return CellView(
        cell.text,
        "ours",
        note=cell.notes,
        small="; ".join([cell.detail, *_difference(record)]),
        verdict=cell.verdict,
        stand_in=record.data == "stand-in",
        heading=_heading(layout, entry, head, record),
        chain=(display_id(table.name), *seeds),
        problems=tuple(chains.sources(line.cell.seeds)),
    )


def _difference(record: TableRow) -> list[str]:
    """Ours less the published number, in points."""
    if record.ours_mean is None or record.published is None:
        return []
    points: Decimal = record.ours_mean - record.published
    return [f"Δ {points:+}".replace("-", "−")]


def _heading(layout: Layout, entry: Entry, head: Head, record: TableRow) -> str:
    parts = [f"{entry.name} × {head.text}"]
    if record.selection:
        parts.append(f"selection {record.selection}")
    if record.fidelity and layout.several_fidelities:
        parts.append(f"fidelity {record.fidelity}")
    return ", ".join(parts)
