"""Results of benchmarks/own_images.py: a file of lines, and the table of docs/own_images.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iic.publish.marked import replaced
from iic.records.files import write_text

RESULTS = Path("benchmarks/own_images.json")
PAGE = Path("docs/own_images.md")
DATA = ("mnist", "cifar10", "digits")
METHODS = {
    "iic": "`iic fit`",
    "kmeans": "k-means (scikit-learn)",
    "spectral": "spectral clustering (scikit-learn)",
    "dec": "DEC (ClustPy)",
}
Line = dict[str, Any]


def added(lines: list[Line], line: Line) -> list[Line]:
    """Lines with that of the same data and method replaced, in the order of the page."""
    key = (line["data"], line["method"])
    kept = [own for own in lines if (own["data"], own["method"]) != key]
    names = list(dict.fromkeys([*DATA, *(own["data"] for own in lines), line["data"]]))
    return sorted(
        [*kept, line],
        key=lambda own: (names.index(own["data"]), list(METHODS).index(own["method"])),
    )


def row(line: Line) -> str:
    """A line as a row of the table."""
    said = line["scores"]
    numbers = [f"{value:.1f}" for value in said.values()] if said else ["–"] * 4
    cells = [f"{line['data']}, {line['images']:,}", str(line["k"])]
    cells += [f"{line['budget_minutes']:g}", METHODS[line["method"]], *numbers]
    took = f"{line['cpu_minutes']:.1f}"
    return f"| {' | '.join([*cells, took, line['note']])} |"


def page(lines: list[Line]) -> str:
    """The table of docs/own_images.md, and what is to be known of it."""
    dates = sorted({line["date"] for line in lines})
    loads = sorted(line["load"] for line in lines)
    processors = ", ".join(sorted({line["processor"] for line in lines}))
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    versions = ", ".join(f"{name} {version}" for name, version in lines[0]["versions"].items())
    return "\n".join(
        [
            "| images | k | budget, min | method | one-to-one | purity | NMI | ARI | took, min | |",
            "|---|---:|---:|---|---:|---:|---:|---:|---:|---|",
            *map(row, lines),
            "",
            "One-to-one is accuracy where each cluster has a label of its own; scores in percent.",
            f"Minutes are of one processor ({processors}, {when}), beside other work (load",
            f"{loads[0]:g} to {loads[-1]:g}). What a method took has imports, reading and answers.",
            f"{versions}.",
        ]
    )


def read_results(root: Path = Path()) -> list[Line]:
    """The lines of the results file; none where there is no file."""
    path = root / RESULTS
    lines: list[Line] = json.loads(path.read_text()) if path.exists() else []
    return lines


def written(line: Line) -> None:
    """Add a line to the results file."""
    text = json.dumps(added(read_results(), line), indent=1, ensure_ascii=False)
    write_text(RESULTS, text + "\n")


def write_page() -> None:
    """Write the table into the docs."""
    text = PAGE.read_text(encoding="utf-8")
    write_text(PAGE, replaced(text, "own_images", page(read_results())))
