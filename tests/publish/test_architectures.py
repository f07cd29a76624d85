from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from iic.params.errors import SettingsError
from iic.params.runs import load_plan
from iic.publish.tables import build

NAME = "supp_table_1"
COLUMNS = "network,position,layer,channels,kernel,stride,padding,dilation,output_size,parameters"


def test_layers_and_totals_are_the_papers() -> None:
    built = build(load_plan("laptop"), NAME)
    assert built.csv.decode().splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(built.csv.decode())))
    totals = {(row["network"], row["layer"]): row["parameters"] for row in rows}
    # docs/spec/images.md#networks
    assert totals["A, STL10", "total of trunk"] == "21276416"
    assert totals["A, STL10", "total of head A"] == "179550"
    assert totals["A, STL10", "total of head B"] == "25650"
    assert totals["A, CIFAR10", "total"] == "21481616"
    assert totals["A, CFR100-20", "total"] == "21686816"
    assert totals["B, MNIST", "total of trunk"] == "4304320"
    assert totals["B, MNIST", "total"] == "5687020"
    sizes = [
        int(row["output_size"])
        for row in rows
        if row["network"] == "B, MNIST" and row["layer"] in ("Conv", "MaxPool")
    ]
    assert sizes == [24, 12, 12, 6, 6, 3, 3]
    assert totals["C, COCO-Stuff", "total of trunk"] == "4503744"
    assert totals["C, COCO-Stuff", "total of head A"] == "23040"
    assert totals["C, COCO-Stuff", "total of head B"] == "7680"
    assert totals["C, Potsdam-3", "total of trunk"] == "4503168"
    assert totals["C, Potsdam-3", "total of head A"] == "12288"
    assert totals["C, Potsdam", "total"] == str(4_503_168 + 18_432 + 3_072)
    for network in ("A, STL10", "B, MNIST", "C, COCO-Stuff-3"):
        parts = [row for row in rows if row["network"] == network and row["position"]]
        assert sum(int(row["parameters"]) for row in parts) == int(totals[network, "total"])
    text = built.md.decode()
    assert text.startswith("# Supplementary table 1. Network architectures\n")
    assert "| 5 × BasicBlock | 256 | 3 | 1 | 1 | 1 | 9 | 5 | 5,903,360 |" in text
    # trunks of two numbers of input channels stand in one line
    assert "| Conv | 64 | 3 | 1 | 1 | 1 | 128 | 200 | 2,880 or 2,304 |" in text
    assert "| Conv | 512 | 3 | 1 | 1 | 2 | 60 | 96 | 2,359,296 |" in text
    assert "| C, Potsdam-3 | 4,503,168 | 1 × 24 | 12,288 | 1 × 3 | 1,536 | 4,516,992 |" in text
    heads = [row for row in rows if row["layer"] == "Conv, head B"]
    assert [(row["padding"], row["output_size"]) for row in heads] == [
        ("1", "62"), ("1", "62"), ("1", "98"), ("1", "98")
    ]  # fmt: skip
    assert built.tex.count(rb"\begin{table*}") == built.tex.count(rb"\end{table*}") == 4
    assert built == build(load_plan("laptop"), NAME)


def test_a_run_without_two_heads_is_refused() -> None:
    whole = load_plan("laptop")
    listing = whole.listings[NAME].model_copy(update={"runs": ("mnist/kmeans",)})
    with pytest.raises(SettingsError, match=r"supp_table_1\.runs: 'mnist/kmeans' is of iic\.meth"):
        build(replace(whole, listings={NAME: listing}), NAME)
