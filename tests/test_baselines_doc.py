"""docs/baselines.md: each method has its row, and measured numbers are the committed ones."""

from __future__ import annotations

import re
from pathlib import Path

from iic.params.modules import method_modules, method_name
from iic.params.runs import load_plan
from iic.records.files import read_record
from iic.records.paths import RunPaths, table
from iic.records.receipt import Receipt
from iic.records.table import read_table

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([^|]+) \(`([\w.]+)`[^)]*\) \|(.*)\|$", re.MULTILINE)


def rows() -> list[tuple[str, str, list[str]]]:
    text = (ROOT / "docs/baselines.md").read_text(encoding="utf-8")
    return [
        (name, module, [cell.strip() for cell in cells.split("|")])
        for name, module, cells in ROW.findall(text)
    ]


def test_every_method_but_iic_and_its_variants_has_a_row() -> None:
    told = {module for _, module, _ in rows()}
    there = {method_name(module) for module in method_modules()}
    own = {"iic", "iic.star", "iic.maps", "iic.star_maps", "finetune"}
    assert told == there - own


def test_the_numbers_of_mnist_are_those_of_the_committed_table() -> None:
    plan = load_plan("laptop")
    lines = read_table(ROOT / table("laptop", "table_1"))
    of_module = {method_name(run.method): run for run in plan.runs.values()}
    compared = 0
    for name, module, cells in rows():
        if len(cells) != 5:
            continue
        (line,) = [
            line
            for line in lines
            if line.row == name
            and line.selection in ("label_free", "mean_head")
            and line.fidelity in (None, "", "as_published")
            and line.paper_column == "MNIST"
        ]
        _, _, published, measured, seconds = cells
        if line.ours_mean is None:
            assert (measured, seconds) == ("not at this scale", "–")
            continue
        assert measured == f"{line.ours_mean:.2f}", name
        run = of_module[module]
        receipt = read_record(ROOT / RunPaths("laptop", run.id, run.seeds[0]).receipt, Receipt)
        assert seconds == f"{round(receipt.timing.seconds):,}", name
        assert float(published) > 0
        compared += 1
    assert compared == 8


def test_epochs_that_no_table_tells_are_those_of_the_params() -> None:
    runs = load_plan("paper").runs.values()
    compared = 0
    for _, module, cells in rows():
        told = {int(number) for number in re.findall(r"(\d+) epochs", cells[-1])}
        if len(cells) == 2 and told:
            schedules = [
                run.settings_json["schedule"] for run in runs if method_name(run.method) == module
            ]
            assert {schedule["epochs"] for schedule in schedules} == told, module
            compared += 1
    assert compared == 3
