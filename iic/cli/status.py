"""The verb ``status``: what of a scale is done, what is left, and how long it may take."""

from __future__ import annotations

import sys
from functools import cache
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from iic.params.escaping import visible
from iic.params.operations import NetworkPass, NotCounted, Operations, committed
from iic.params.runs import load_plan
from iic.provenance.status import Hours, ScaleStatus, State, Summary
from iic.provenance.status import status as look
from iic.provenance.terminal import Terminal
from iic.records.files import dump_json

ScaleOption = Annotated[str, typer.Option(help="One of the files in params/scales/.")]

STYLES: dict[State, str] = {"done": "green", "stale": "yellow", "missing": "dim"}
NONE = "–"
NAMES = ("table or figure", "itself")
COUNTS = ("done", "stale", "missing")
"""Heads of the trainings' numbers."""
HOURS = ("spent (measured)", "left (estimate)", "in all (estimate)")
WIDE = 100
"""Characters in a line that the table needs to be spaced well; narrower, hours are wrapped."""


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(status)


def status(
    scale: ScaleOption = "mini",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, each training included.")
    ] = False,
) -> None:
    """Say what of a scale is done, stale or missing, and estimate the hours that are left.

    Reads receipts only: `iic audit` verifies what they say, `iic why` says why something is stale.
    """
    answer = look(load_plan(scale), count=_operations)
    if as_json:
        print(visible(dump_json(answer.model_dump(mode="json"))), end="")
        return
    console = Terminal(highlight=False)
    if console.is_terminal:
        console.print(_table(answer, gap=2 if console.width >= WIDE else 1))
        console.print(Text(_remarks(answer).replace("\n", " "), style="dim"))
    else:
        print(visible(_plain(answer)))
        print(visible(_remarks(answer)))


@cache
def _operations(way: NetworkPass) -> Operations:
    """From the file; those of a network that is in no committed scale are counted now."""
    try:
        return committed(way)
    except NotCounted as unknown:
        try:
            # takes torch, and seconds
            from iic.networks.operations import count
        except ImportError:
            raise unknown from None
        print(f"counting {way.key}: `iic export operations` keeps it", file=sys.stderr)
        return count(way)


def _rows(answer: ScaleStatus) -> list[tuple[str, State | None, list[str]]]:
    """Name, state and the other cells of each line; the last line is each training once."""
    rows: list[tuple[str, State | None, list[str]]] = [
        (display.name, display.state, _cells(display.trainings)) for display in answer.displays
    ]
    return [*rows, ("all together", None, _cells(answer.all_trainings))]


def _cells(summary: Summary) -> list[str]:
    counts = (summary.done, summary.stale, summary.missing)
    left = summary.stale + summary.missing
    # what nobody can estimate must not look like nothing
    unknown = left > 0 and summary.without_estimate == left
    spent = _hours(summary.hours_spent)
    return [
        *map(str, counts),
        spent,
        NONE if unknown else _hours(summary.hours_left),
        NONE if unknown and spent == NONE else _hours(summary.hours_total),
    ]


def _hours(hours: Hours) -> str:
    parts = [(hours.gpu, "GPU-h"), (hours.core, "core-h")]
    return " + ".join(f"{_number(value)} {unit}" for value, unit in parts if value) or NONE


def _number(hours: float) -> str:
    if hours < 0.01:
        return "<0.01"
    return f"{hours:.2f}" if hours < 1 else f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def _table(answer: ScaleStatus, gap: int) -> Table:
    table = Table(
        title=f"scale {answer.scale}: trainings and hours of computing",
        title_justify="left",
        box=None,
        padding=(0, gap, 0, 0),
    )
    for head in NAMES:
        # a long name is broken rather than cut off where the terminal is narrow
        table.add_column(head, overflow="fold")
    for head in COUNTS:
        table.add_column(head, justify="right", no_wrap=True)
    for head in HOURS:
        table.add_column(head, justify="right")
    for name, state, cells in _rows(answer):
        shown = Text(state, style=STYLES[state]) if state else Text()
        table.add_row(name, shown, *cells, style=None if state else "bold")
    return table


def _plain(answer: ScaleStatus) -> str:
    """Aligned lines without frames or colours, for logs and pipes."""
    lines = [[*NAMES, *COUNTS, *HOURS]]
    lines += [[name, state or "", *cells] for name, state, cells in _rows(answer)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [f"scale {answer.scale}: trainings and hours of computing"]
    for line in lines:
        parts = [
            cell.ljust(width) if column < len(NAMES) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append("  ".join(parts).rstrip())
    return "\n".join(shown)


def _remarks(answer: ScaleStatus) -> str:
    """What the hours are, and what they leave out."""
    rates = answer.assumed_rates
    gpu, core = (
        ", ".join(f"{value / 1e12:.3g} {name}" for name, value in some.items())
        for some in (rates.gpu, {**rates.core, "k-means": rates.clustering})
    )
    lines = [
        "Hours left are an estimate: what other seeds of the same run took or, where none is done, "
        "counted operations",
        f"at an assumed rate (TFLOP/s of one GPU: {gpu}; of one CPU core: {core}).",
        "GPU-h: hours of one GPU; core-h: hours of one CPU core, for runs without gpu: true. "
        "All together counts each training once.",
    ]
    if answer.all_trainings.without_estimate:
        names = dict.fromkeys(
            training.run for training in answer.trainings if training.hours is None
        )
        lines.append(f"{NONE}: no estimate, and in no sum: {', '.join(names)}.")
    if answer.left_over:
        lines.append(
            f"{answer.left_over} files of the results belong to no job: iic prune --scale "
            f"{answer.scale} lists them."
        )
    return "\n".join(lines)
