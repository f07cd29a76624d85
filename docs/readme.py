"""Write the generated parts of README.md and docs/: measured tables and the workflow's picture.

Run by ``make readme`` after ``make``. The tables are taken from results/mini and, in git,
results/laptop and results/laptop_cifar10, so that no number on these pages is typed;
tests/test_readme.py checks that those in git and the picture are today's.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from pandas import isna

from iic.params.runs import Plan, load_plan
from iic.publish.figures.curves import LOGS
from iic.publish.frames import cells
from iic.publish.learning_curves import read_learning_curves
from iic.records.files import read_record
from iic.records.history import read_history
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt

SCALE, REFERENCE, PHOTOGRAPHS = "mini", "laptop", "laptop_cifar10"
SETTINGS = {"as_published": "published", "corrected": "corrected", "own": "own"}
"""Fidelity -> its word here, since the column beside it has a selection named as_published."""
HEADS = "| method | model picked (selection) | settings (fidelity) |"


def workflow() -> str:
    """The rule graph as a mermaid block."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # jobs by name and in alphabetical order, since Snakemake numbers them anew each time; no
    # colours, since those of mermaid's theme are legible in light and in dark mode
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", shown))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", shown)}
    edges = {edge for edge in edges if edge[0] != edge[1]}
    lines = [f"    {one} --> {other}" for one, other in sorted(edges) if other != "default"]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def measured() -> str:
    """Tables 1 and 4 at scale mini, measured rows only, one column a dataset."""
    lines = [
        f"Table 1 at scale `{SCALE}`: accuracy in percent. `digits` are scikit-learn's 1,797 "
        "handwritten digits: real, but not the paper's MNIST. `..._standin` are **labelled "
        "stand-ins**: this software draws patterns in the official files' formats. Their numbers "
        "say nothing about the paper's datasets.",
        "",
        *_rows("table_1"),
        "",
        f"{_machine(SCALE)} ± is over seeds (ddof 1); {_seeds(load_plan(SCALE))}.",
        "",
        f"Table 4 at scale `{SCALE}`: pixel accuracy in percent, one seed. All images are "
        "stand-ins: scenes and aerial images of textures.",
        "",
        *_rows("table_4"),
    ]
    return "\n".join(lines)


def _rows(name: str) -> list[str]:
    """The measured rows of a table at scale mini, one column a dataset."""
    measured = cells(SCALE).query("table == @name and status == 'measured'")
    values = measured.assign(value=measured.apply(_value, axis=1))
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


def _seeds(whole: Plan) -> str:
    several = [f"`{run.id}`" for run in whole.runs.values() if len(run.seeds) > 1]
    return f"three seeds for {', '.join(several)}, one for the rest"


def reference() -> str:
    """Table 1's MNIST column at scale laptop beside the paper's."""
    rows = cells(REFERENCE).query(
        "table == 'table_1' and column == 'mnist' and status == 'measured'"
    )
    plan = load_plan(REFERENCE)
    run, fast = plan.run("mnist/iic"), plan.run("mnist/iic-fast")
    return "\n".join(
        [
            "| method | paper | ours | ± over sub-heads | model picked (selection) | verdict |",
            "|---|---:|---:|---:|---|---|",
            *map(_reference_line, rows.itertuples()),
            "",
            f"Accuracy in percent, seed {run.seeds[0]}, of the fast recipe seeds "
            f"{', '.join(map(str, fast.seeds))}; IIC: {run.note}. {_machine(REFERENCE)}",
        ]
    )


def curve() -> str:
    """Accuracy by epoch at scale laptop beside the authors' log."""
    run = load_plan(REFERENCE).run("mnist/iic")
    logged = {point.epoch: point for point in read_learning_curves(Path(LOGS))[run.id]}
    history = [
        epoch
        for epoch in read_history(RunPaths(REFERENCE, run.id, run.seeds[0]).history)
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


def photographs() -> str:
    """What scale laptop_cifar10 measured: it compares with no number of the paper."""
    rows = cells(PHOTOGRAPHS).query("table == 'table_1' and status == 'measured'")
    run = load_plan(PHOTOGRAPHS).run("cifar10_test/iic")
    epochs = read_history(RunPaths(PHOTOGRAPHS, run.id, run.seeds[0]).history)
    untrained, first, last = epochs[0], epochs[1], epochs[-1]
    lines = [
        "| method | model picked (selection) | ours | ± over sub-heads |",
        "|---|---|---:|---:|",
        *(
            f"| {row.row} | `{row.selection}` | {_value(row)} | {_spread(row.ours_std_heads)} |"
            for row in rows.itertuples()
        ),
        "",
        f"Accuracy in percent, seed {run.seeds[0]}. IIC: {run.note}. Mean loss of the passes of "
        f"heads {' and '.join(last['head'])}: {_losses(first)} in epoch {first['epoch']}, "
        f"{_losses(last)} in epoch {last['epoch']}; mean accuracy over sub-heads "
        f"{statistics.fmean(untrained['accuracy']):.1f} before training. {_machine(PHOTOGRAPHS)}",
    ]
    return "\n".join(lines)


def _losses(epoch: dict[str, Any]) -> str:
    return " and ".join(f"{value:.3f}" for value in epoch["loss"])


def _reference_line(row: Any) -> str:
    published = "–" if isna(row.published) else f"{row.published} {_spread(row.published_std, '')}"
    return (
        f"| {row.row} | {published.strip()} | {_value(row)} | {_spread(row.ours_std_heads)} | "
        f"`{row.selection}` | {'' if isna(row.verdict) else row.verdict} |"
    )


def _value(row: Any) -> str:
    return f"**{row.ours_mean:.2f}** {_spread(row.ours_std)}".strip()


def _spread(value: float, form: str = ".2f") -> str:
    """A standard deviation; as the paper prints it where there is no form."""
    return "" if isna(value) else f"± {value:{form}}"


def _machine(scale: str) -> str:
    """Dates, hardware and time of a scale's trainings, from their receipts."""
    receipts = [
        read_record(RunPaths(scale, run.id, seed).receipt, Receipt)
        for run in load_plan(scale).runs.values()
        for seed in run.seeds
    ]
    machines: dict[str, list[Receipt]] = {}
    for receipt in sorted(receipts, key=lambda receipt: receipt.timing.end):
        own = receipt.environment
        machine = f"{own.cpu}, {own.cpu_count} cores, torch {own.packages['torch']}"
        machines.setdefault(machine, []).append(receipt)
    said = []
    for machine, own in machines.items():
        days = dict.fromkeys(f"{receipt.timing.end:%Y-%m-%d}" for receipt in own)
        seconds = sum(receipt.timing.seconds for receipt in own)
        said.append(
            f"on {' and '.join(days)}, {machine}: {len(own)} trainings of {seconds:,.0f} s together"
        )
    return f"Measured {'; '.join(said)}."


def replaced(text: str, part: str, content: str) -> str:
    """`text` with what stands between the marks of `part` replaced."""
    pattern = re.compile(rf"(<!-- {part}: begin[^>]*-->\n).*?(<!-- {part}: end -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


PARTS = {
    "reference": (Path("README.md"), reference),
    "curve": (Path("docs/mini.md"), curve),
    "photographs": (Path("docs/mini.md"), photographs),
    "measured": (Path("docs/mini.md"), measured),
    "workflow": (Path("docs/architecture.md"), workflow),
}
"""Name of the marks -> the page that they are in, and what writes the content."""


def main() -> None:
    """Rewrite the generated parts in place."""
    audit = json.loads(Path(f"results/{SCALE}/audit.json").read_text(encoding="utf-8"))
    if audit["exit_status"] not in (0, 3):
        sys.exit(f"results/{SCALE} is not verified by the audit; run make first")
    for part, (page, content) in PARTS.items():
        text = page.read_text(encoding="utf-8")
        page.write_text(replaced(text, part, content()), encoding="utf-8")


if __name__ == "__main__":
    main()
