from __future__ import annotations

import csv
import io

from iic.params.experiments import Listing
from iic.publish.tables import build
from tests.publish.publish_helpers import make_plan

LISTING = Listing(title="Networks", caption="Layers.", module="iic.publish.architectures")
COLUMNS = "network,position,layer,channels,kernel,stride,output_size,parameters"


def test_layers_and_totals_are_the_papers() -> None:
    built = build(make_plan(listings={"supp_table_1": LISTING}), "supp_table_1")
    assert built.csv.decode().splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(built.csv.decode())))
    totals = {(row["network"], row["layer"]): row["parameters"] for row in rows}
    # spec of the paper, section 2
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
    assert [row["layer"] for row in rows if row["network"] == "C"] == ["not_run"]
    for network in ("A, STL10", "B, MNIST"):
        parts = [row for row in rows if row["network"] == network and row["position"]]
        assert sum(int(row["parameters"]) for row in parts) == int(totals[network, "total"])
    text = built.md.decode()
    assert text.startswith("# Supplementary table 1. Networks\n")
    assert "| 5 × BasicBlock | 256 | 3 | 1 | 9 | 5 | 5,903,360 |" in text
    assert "Network C: the segmentation network, not run yet." in text
    assert built.tex.count(rb"\begin{table*}") == built.tex.count(rb"\end{table*}") == 3
    assert built == build(make_plan(listings={"supp_table_1": LISTING}), "supp_table_1")
