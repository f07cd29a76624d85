"""Arranges a table's lines as the paper does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from string import ascii_lowercase

from iic.params.experiments import Column, Table
from iic.params.runs import Plan
from iic.publish.cells import Line
from iic.publish.layout import Entry, Head, Layout
from iic.publish.published import Published
from iic.publish.wording import score, titled


def lay_out(
    plan: Plan,
    name: str,
    lines: list[Line],
    published: Published,
    origins: Mapping[str, list[str]],
) -> Layout:
    """Arrange a table's lines as the paper does.

    Args:
        plan: What the scale holds.
        name: Name of the table.
        lines: What `iic.publish.cells.gather` found.
        published: What the paper prints there.
        origins: References of methods and datasets, from `iic.publish.origins`.
    """
    table = plan.tables[name]
    shown = {line.record.paper_column for line in lines}
    head = _fraction_head if table.by_fraction else _dataset_head
    every = [head(plan, table, column) for column in table.columns if column.paper in shown]
    if not published.numbers:
        every = [replace(column, published=False) for column in every]
    heads = [column for column in every if column.published or column.ours]
    # a dataset is called as the paper heads its column, where it has one
    names = {column.dataset: column.paper for column in table.columns if column.dataset}
    distinct = list(dict.fromkeys(note for line in lines for note in line.notes))
    return Layout(
        title=titled(name, table.title)
        + (" (stand-in data)" if any(head.stand_in for head in heads) else ""),
        caption=(
            f"{table.caption} Scale {plan.scale.name}: {plan.scale.description} "
            f"Machine: {plan.scale.machine}."
        ),
        heads=heads,
        entries=_entries(plan, table, heads, lines, published),
        notes={_letter(position): note for position, note in enumerate(distinct)},
        published=published,
        origins=origins,
        elsewhere=[
            _elsewhere(plan, dataset, names.get(dataset, dataset), lines)
            for dataset in table.datasets
            if dataset in plan.scale.datasets and not _own(plan, dataset)
        ],
        tolerances=", ".join(
            f"{names.get(dataset, dataset)} {published.tolerances[dataset]}"
            for dataset in table.datasets
            if any(line.record.verdict for line in lines if line.paper_dataset == dataset)
        ),
    )


def _own(plan: Plan, dataset: str) -> bool:
    """Whether the paper's numbers on `dataset` may stand beside ours: nothing else ran for it."""
    return plan.scale.real and plan.scale.datasets.get(dataset) in (None, dataset)


def _stand_in(plan: Plan, dataset: str | None) -> bool:
    """Whether stand-in data runs in place of the paper's `dataset`."""
    running = plan.scale.datasets.get(dataset or "")
    return running is not None and plan.datasets[running].stand_in


def _dataset_head(plan: Plan, table: Table, column: Column) -> Head:
    dataset = column.dataset or ""
    running = plan.scale.datasets.get(dataset)
    own = _own(plan, dataset)
    stand_in = _stand_in(plan, dataset)
    text = column.paper if own else f"{running}, in place of {column.paper}"
    return Head(
        paper=column.paper,
        text=text + (" (stand-in data)" if stand_in else ""),
        published=own,
        ours=running is not None,
        stand_in=stand_in,
    )


def _fraction_head(plan: Plan, table: Table, column: Column) -> Head:
    covered = [dataset for dataset in table.datasets if dataset in plan.scale.datasets]
    stand_in = [dataset for dataset in covered if _stand_in(plan, dataset)]
    partly = "" if len(stand_in) == len(covered) else "partly "
    return Head(
        paper=column.paper,
        text=column.paper + (f" ({partly}stand-in data)" if stand_in else ""),
        published=plan.scale.real,
        ours=bool(covered),
        stand_in=bool(stand_in),
    )


def _entries(
    plan: Plan, table: Table, heads: list[Head], lines: list[Line], published: Published
) -> list[Entry]:
    grouped: dict[tuple[str, str | None, str | None], dict[str, Line]] = {}
    for line in lines:
        record = line.record
        key = (record.row, record.selection, record.fidelity)
        grouped.setdefault(key, {})[record.paper_column] = line
    entries = []
    for (name, selection, fidelity), cells in grouped.items():
        mark, text = published.row_marks(name), name
        first = next(iter(cells.values()))
        if table.by_fraction and not _own(plan, first.paper_dataset):
            kind = " (stand-in data)" if _stand_in(plan, first.paper_dataset) else ""
            text = f"{name}: {first.record.column}, in place of {first.paper_dataset}{kind}"
        ours = [cells[head.paper].notes for head in heads if head.ours]
        shared = [
            note for note in (ours[0] if len(ours) > 1 else ()) if all(note in n for n in ours)
        ]
        entries.append(Entry(text, mark, selection, fidelity, cells, tuple(shared)))
    return entries


def _elsewhere(plan: Plan, dataset: str, name: str, lines: list[Line]) -> str:
    numbers: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.paper_dataset == dataset and line.published:
            number = line.published
            text = score(number.value, number.std) + number.mark
            numbers.setdefault(line.record.row, {})[line.record.paper_column] = text
    running = plan.scale.datasets[dataset]
    if not numbers:
        return f"{running} runs in place of {name}, which is another dataset."
    values = "; ".join(f"{row} {', '.join(texts.values())}" for row, texts in numbers.items())
    return (
        f"The paper's numbers for {name}, which is another dataset than {running} "
        f"({plan.datasets[running].title}), so that ours do not compare with them: {values}."
    )


def _letter(position: int) -> str:
    quotient, rest = divmod(position, len(ascii_lowercase))
    return (_letter(quotient - 1) if quotient else "") + ascii_lowercase[rest]
