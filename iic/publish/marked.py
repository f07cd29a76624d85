"""Numbers that README and docs quote: the parts between marks, written from the results.

``make readme`` writes them (`docs/readme.py`), and the audit compares them.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pandas import DataFrame, isna

from iic.params.runs import PARAMS, Plan, load_plan
from iic.publish.fast_recipe import REFERENCE, errors, fast, measured_seeds
from iic.publish.frames import cells
from iic.publish.learning_curves import LOGS, read_learning_curves
from iic.records.files import read_record
from iic.records.history import read_history
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt

SCALE, PHOTOGRAPHS = "mini", "laptop_cifar10"
SETTINGS = {"as_published": "published", "corrected": "corrected", "own": "own"}
"""Fidelity -> its word here, since the column beside it has a selection named as_published."""
HEADS = "| method | model picked (selection) | settings (fidelity) |"


class Part(NamedTuple):
    """A part of a page."""

    page: Path
    scale: str
    """Whose results it quotes."""
    write: Callable[[Path], str]
    """Its content, of a clone with this root."""


def measured(root: Path) -> str:
    """Tables 1 and 4 at scale mini, measured rows only, one column a dataset."""
    lines = [
        f"Table 1 at scale `{SCALE}`: accuracy in percent. `digits` are scikit-learn's 1,797 "
        "handwritten digits: real, but not the paper's MNIST. `..._standin` are **labelled "
        "stand-ins**: this software draws patterns in the official files' formats. Their numbers "
        "say nothing about the paper's datasets.",
        "",
        *_rows("table_1", root),
        "",
        f"{_machine(SCALE, root)} ± is over seeds (ddof 1); "
        f"{_seeds(load_plan(SCALE, root / PARAMS))}.",
        "",
        f"Table 4 at scale `{SCALE}`: pixel accuracy in percent, one seed. All images are "
        "stand-ins: scenes and aerial images of textures.",
        "",
        *_rows("table_4", root),
    ]
    return "\n".join(lines)


def _rows(name: str, root: Path) -> list[str]:
    """The measured rows of a table at scale mini, one column a dataset."""
    rows = cells(SCALE, root).query("table == @name and status == 'measured'")
    values = rows.assign(value=rows.apply(_value, axis=1))
    by_row = values.set_index(["row", "selection", "fidelity", "column"])["value"]
    table = by_row.unstack(fill_value="", sort=False)
    heads = [f"`{column}`" for column in table.columns]
    return [
        f"{HEADS} {' | '.join(heads)} |",
        "|---|---|---|" + "---:|" * len(heads),
        *(
            f"| {row} | `{selection}` | {SETTINGS.get(fidelity, '')} | {' | '.join(texts)} |"
            for (row, selection, fidelity), texts in zip(table.index, table.values, strict=True)
        ),
    ]


def _seeds(plan: Plan) -> str:
    several = [f"`{run.id}`" for run in plan.runs.values() if len(run.seeds) > 1]
    return f"three seeds for {', '.join(several)}, one for the rest"


def reference(root: Path) -> str:
    """Table 1's MNIST column at scale laptop beside the paper's."""
    rows = cells(REFERENCE, root).query(
        "table == 'table_1' and column == 'mnist' and status == 'measured'"
    )
    plan = load_plan(REFERENCE, root / PARAMS)
    run = plan.run("mnist/iic")
    return "\n".join(
        [
            "| method | paper | ours | seeds | ± over sub-heads | model picked (selection) | "
            "verdict |",
            "|---|---:|---:|---:|---:|---|---|",
            *map(_reference_line, rows.itertuples()),
            "",
            f"Accuracy in percent, mean ± standard deviation over seeds, which count from 0. IIC: "
            f"{run.note}. "
            f"{_machine(REFERENCE, root)}",
        ]
    )


def curve(root: Path) -> str:
    """Accuracy by epoch at scale laptop beside the authors' log."""
    run = load_plan(REFERENCE, root / PARAMS).run("mnist/iic")
    logged = {point.epoch: point for point in read_learning_curves(root / LOGS)[run.id]}
    history = [
        epoch
        for epoch in read_history(root / RunPaths(REFERENCE, run.id, run.seeds[0]).history)
        if epoch["accuracy"]
    ]
    return "\n".join(
        [
            "| epoch (three passes of 500 steps) | ours: best sub-head | mean | "
            f"authors' log, model {next(iter(logged.values())).model}: best | mean |",
            "|---:|---:|---:|---:|---:|",
            *(
                f"| {epoch['epoch']} | {max(epoch['accuracy']):.1f} | "
                f"{statistics.fmean(epoch['accuracy']):.1f} | "
                + (
                    f"{logged[epoch['epoch']].best:.1f} | {logged[epoch['epoch']].mean:.1f} |"
                    if epoch["epoch"] in logged
                    else "– | – |"
                )
                for epoch in history
            ),
        ]
    )


def photographs(root: Path) -> str:
    """What scale laptop_cifar10 measured: it compares with no number of the paper."""
    rows = cells(PHOTOGRAPHS, root).query("table == 'table_1' and status == 'measured'")
    run = load_plan(PHOTOGRAPHS, root / PARAMS).run("cifar10_test/iic")
    epochs = read_history(root / RunPaths(PHOTOGRAPHS, run.id, run.seeds[0]).history)
    untrained, first, last = epochs[0], epochs[1], epochs[-1]
    lines = [
        "| method | model picked (selection) | ours | ± over sub-heads |",
        "|---|---|---:|---:|",
        *(
            f"| {row.row} | `{row.selection}` | {_value(row)} | {_spread(row.ours_std_heads)} |"
            for row in _records(rows)
        ),
        "",
        f"Accuracy in percent, seed {run.seeds[0]}. IIC: {run.note}. Mean loss of the passes of "
        f"heads {' and '.join(last['head'])}: {_losses(first)} in epoch {first['epoch']}, "
        f"{_losses(last)} in epoch {last['epoch']}; mean accuracy over sub-heads "
        f"{statistics.fmean(untrained['accuracy']):.1f} before training. "
        f"{_machine(PHOTOGRAPHS, root)}",
    ]
    return "\n".join(lines)


def _records(rows: DataFrame) -> Iterator[Any]:
    """Rows with a column for each attribute."""
    return rows.itertuples()


def _losses(epoch: dict[str, Any]) -> str:
    return " and ".join(f"{value:.3f}" for value in epoch["loss"])


def _reference_line(row: Any) -> str:
    published = "–" if isna(row.published) else f"{row.published} {_spread(row.published_std, '')}"
    verdict = "" if isna(row.verdict) else row.verdict
    return (
        f"| {row.row} | {published.strip()} | {_value(row)} | {row.n_seeds:.0f} | "
        f"{_spread(row.ours_std_heads)} | `{row.selection}` | {verdict} |"
    )


def _value(row: Any) -> str:
    return f"**{row.ours_mean:.2f}** {_spread(row.ours_std)}".strip()


def _spread(value: float, form: str = ".2f") -> str:
    """A standard deviation; as the paper prints it where there is no form."""
    return "" if isna(value) else f"± {value:{form}}"


def _machine(scale: str, root: Path) -> str:
    """Dates, hardware and time of a scale's trainings, from their receipts."""
    receipts = [
        read_record(root / RunPaths(scale, run.id, seed).receipt, Receipt)
        for run in load_plan(scale, root / PARAMS).runs.values()
        for seed in measured_seeds(run, root)
    ]
    machines: dict[str, list[Receipt]] = {}
    for receipt in sorted(receipts, key=lambda receipt: receipt.timing.end):
        own = receipt.environment
        machine = f"{own.cpu}, {own.cpu_count} cores, torch {own.packages['torch']}"
        machines.setdefault(machine, []).append(receipt)
    said = []
    for machine, made in machines.items():
        days = dict.fromkeys(f"{receipt.timing.end:%Y-%m-%d}" for receipt in made)
        seconds = sum(receipt.timing.seconds for receipt in made)
        said.append(
            f"on {' and '.join(days)}, {machine}: {len(made)} trainings of {seconds:,.0f} s "
            "together"
        )
    return f"Measured {'; '.join(said)}."


def replaced(text: str, name: str, content: str) -> str:
    """The text of a page with what stands between the marks of a part replaced."""
    return _marks(name).sub(lambda found: found[1] + content + "\n" + found[3], text)


def between(text: str, name: str) -> str | None:
    """What stands between the marks of a part in the text of a page; None without marks."""
    found = _marks(name).search(text)
    return None if found is None else found[2]


def _marks(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: begin[^>]*-->\n)(.*?)(<!-- {name}: end -->)", re.DOTALL)


PARTS = {
    "reference": Part(Path("README.md"), REFERENCE, reference),
    "errors": Part(Path("docs/findings.md"), REFERENCE, errors),
    "fast": Part(Path("docs/performance.md"), REFERENCE, fast),
    "curve": Part(Path("docs/mini.md"), REFERENCE, curve),
    "photographs": Part(Path("docs/mini.md"), PHOTOGRAPHS, photographs),
    "measured": Part(Path("docs/mini.md"), SCALE, measured),
}
"""By the name of its marks."""
