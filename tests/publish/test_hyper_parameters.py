from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from iic.params.errors import SettingsError
from iic.params.runs import load_plan
from iic.publish.tables import build

COLUMNS = "method,dataset,run,base,n,h,r,in_channels,k_gt,k,crop,input,status"
# as printed (docs/spec/images.md#supplementary-table-2); MNIST's k = 50 was never trained
PRINTED = {
    "IIC": {
        "STL10": "A/700/5/5/2/10/70/64/64",
        "CIFAR10": "A/660/5/3/2/10/70/20/32",
        "CFR100-20": "A/1000/5/5/2/20/140/20/32",
        "MNIST": "B/700/5/5/1/10/50 (untrained)/{16, 20, 24}/24",
        "COCO-Stuff-3": "C/120/1/1/5/3/15/128/128",
        "COCO-Stuff": "C/60/1/1/5/15/45/128/128",
        "Potsdam-3": "C/75/1/1/4/3/24/200/200",
        "Potsdam": "C/60/1/1/4/6/36/200/200",
    },
    "IIC*": {
        "STL10": "A/1400/5/5/2/10/140/64/64",
        "CIFAR10": "A/1320/5/3/2/10/140/20/32",
        "CFR100-20": "B/2800/5/5/5/20/280/20/24",
        "MNIST": "B/350/5/5/1/10/25/{16, 20, 24}/24",
        "COCO-Stuff-3": "C/180/1/1/5/3/15/128/128",
        "COCO-Stuff": "C/90/1/1/5/15/45/128/128",
        "Potsdam-3": "C/75/1/1/4/3/9/200/200",
        "Potsdam": "C/60/1/1/4/6/24/200/200",
    },
}


@pytest.mark.parametrize("scale", ["paper", "laptop"])
def test_settings_are_the_papers_whatever_the_scale(scale: str) -> None:
    built = build(load_plan(scale), "supp_table_2")
    assert built.csv.decode().splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(built.csv.decode())))
    shown: dict[str, dict[str, str]] = {}
    for row in rows:
        values = [row[column] for column in COLUMNS.split(",")[3:-1]]
        assert row["status"] == "defined"
        shown.setdefault(row["method"], {})[row["dataset"]] = "/".join(values)
    assert shown == PRINTED
    # the supplement's order: clustering, then segmentation
    assert [row["dataset"] for row in rows[:8]] == [
        "STL10", "CIFAR10", "CFR100-20", "MNIST", "COCO-Stuff-3", "COCO-Stuff", "Potsdam-3",
        "Potsdam",
    ]  # fmt: skip


def test_what_is_not_so_is_said_beside_it() -> None:
    built = build(load_plan("paper"), "supp_table_2")
    for text in (built.md.decode(), built.tex.decode()):
        assert "the released code never trains this head" in text
    rows = [line for line in built.md.decode().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert built.sources.series[0].name == "stl10/iic"
    assert built == build(load_plan("paper"), "supp_table_2")


def test_a_run_that_it_cannot_show_is_refused() -> None:
    whole = load_plan("paper")
    listing = whole.listings["supp_table_2"].model_copy(update={"runs": ("mnist/kmeans",)})
    odd = replace(whole, listings={"supp_table_2": listing})
    with pytest.raises(SettingsError, match=r"supp_table_2\.runs: 'mnist/kmeans' is of iic\.meth"):
        build(odd, "supp_table_2", Path())
