"""Supplementary table 1: the networks' layers, read off the networks themselves.

The csv has one line per layer of each of the paper's networks, then the totals of the trunk, of
each head and of everything; the columns are `COLUMNS`. Sizes are those of the paper's runs,
whatever the scale. The supplement names only convolutions, blocks and most poolings; what it
leaves out (the padded max-pooling of A's stem, the dilation in C and the padding of its heads) is
listed here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from iic.networks.build import build as build_network
from iic.networks.describe import LayerRow, describe
from iic.networks.segmentation import build_segmentation
from iic.params.networks import NetworkSettings
from iic.params.runs import Plan
from iic.params.segmentation import SegmentationNetworkSettings
from iic.publish.built import Built
from iic.publish.latex import booktabs
from iic.publish.layout import titled
from iic.records.sources import Series, Sources

COLUMNS = (
    "network", "position", "layer", "channels", "kernel", "stride", "padding", "dilation",
    "output_size", "parameters",
)  # fmt: skip
MODULES = ["iic.networks.build", "iic.networks.describe", "iic.networks.segmentation"]


@dataclass(frozen=True)
class Design:
    """A network as the paper used it for some dataset."""

    paper: str
    """The paper's name of the dataset."""
    settings: NetworkSettings | SegmentationNetworkSettings
    heads: dict[str, int]
    """Clusters of each sub-head: A the overclustering head, B the main one."""
    sub_heads: int = 5
    """Sub-heads of each head."""

    @property
    def name(self) -> str:
        """As the csv calls it, e.g. ``A, STL10``."""
        return f"{self.settings.family}, {self.paper}"


def _clustering(
    paper: str, family: Literal["A", "B"], side: int, channels: int, k_a: int, k_b: int
) -> Design:
    settings = NetworkSettings(family=family, input_size=side, in_channels=channels)
    return Design(paper, settings, {"A": k_a, "B": k_b})


def _segmentation(paper: str, side: int, channels: int, k_a: int, k_b: int) -> Design:
    settings = SegmentationNetworkSettings(input_size=side, in_channels=channels)
    return Design(paper, settings, {"A": k_a, "B": k_b}, sub_heads=1)


DESIGNS = (
    _clustering("STL10", "A", 64, 2, 70, 10),
    _clustering("CIFAR10", "A", 32, 2, 70, 10),
    _clustering("CFR100-20", "A", 32, 2, 140, 20),
    _clustering("MNIST", "B", 24, 1, 50, 10),
    _segmentation("COCO-Stuff-3", 128, 5, 15, 3),
    _segmentation("COCO-Stuff", 128, 5, 45, 15),
    _segmentation("Potsdam-3", 200, 4, 24, 3),
    _segmentation("Potsdam", 200, 4, 36, 6),
)
"""The paper's networks (supplement, Tables 1 and 2)."""


def build(plan: Plan, name: str, root: Path = Path()) -> Built:
    """The table's files; nothing is read from disk.

    Args:
        plan: What the scale holds.
        name: Name of the listing.
        root: Not needed.
    """
    rows = {design.name: layers(design) for design in DESIGNS}
    listing = plan.listings[name]
    title = titled(name, listing.title)
    series = [Series(name=network, modules=MODULES) for network in rows]
    return Built(
        csv=_csv(rows),
        md=_markdown(title, listing.caption, rows),
        tex=_latex(name, f"{title}. {listing.caption}", rows),
        sources=Sources(scale=plan.scale.name, name=name, series=series),
    )


def write(plan: Plan, name: str, root: Path = Path()) -> list[Path]:
    """Write the table's files and list them relative to `root`."""
    return build(plan, name, root).write(plan.scale.name, name, root)


def layers(design: Design) -> list[LayerRow]:
    """The layers of a network with its heads, in the order of the forward pass."""
    # shapes and counts need no weights: the meta device has none
    with torch.device("meta"):
        side = design.settings.input_size
        return describe(_network(design), (design.settings.in_channels, side, side))


def _network(design: Design) -> nn.Module:
    if isinstance(design.settings, SegmentationNetworkSettings):
        return build_segmentation(design.settings, design.heads, design.sub_heads)
    return build_network(design.settings, design.heads, design.sub_heads)


def totals(rows: Iterable[LayerRow]) -> dict[str, int]:
    """Parameters of ``trunk``, ``head A``, ``head B`` and in ``total``."""
    result: dict[str, int] = {}
    for row in rows:
        part = _part(row)
        result[part] = result.get(part, 0) + row.parameters
    return result | {"total": sum(result.values())}


def _part(row: LayerRow) -> str:
    first, second = row.name.split(".")[:2]
    return f"head {second}" if first == "heads" else "trunk"


def _layer(row: LayerRow) -> str:
    return row.kind if _part(row) == "trunk" else f"{row.kind}, {_part(row)}"


def _csv(networks: dict[str, list[LayerRow]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for network, rows in networks.items():
        for position, row in enumerate(rows, start=1):
            shape = (row.channels, row.kernel, row.stride, row.padding, row.dilation, row.size)
            writer.writerow([network, position, _layer(row), *shape, row.parameters])
        for part, number in totals(rows).items():
            label = part if part == "total" else f"total of {part}"
            writer.writerow([network, "", label, *[""] * (len(COLUMNS) - 4), number])
    return text.getvalue().encode()


TRUNK_HEAD = ("layer", "channels", "kernel", "stride", "padding", "dilation")


def _trunk(networks: dict[str, list[LayerRow]], family: str) -> tuple[list[str], list[list[str]]]:
    """Head and body of a family's trunk; equal neighbours are one line, sizes one column each."""
    designs: dict[int, list[Design]] = {}
    for design in DESIGNS:
        if design.settings.family == family:
            designs.setdefault(design.settings.input_size, []).append(design)
    sizes = {
        side: [row for row in networks[same[0].name] if _part(row) == "trunk"]
        for side, same in designs.items()
    }
    outputs = [
        f"output, {side} px ({', '.join(design.paper for design in same)})"
        for side, same in designs.items()
    ]
    head = [*TRUNK_HEAD, *outputs, "parameters"]
    lines = []
    for rows in zip(*sizes.values(), strict=True):
        row = rows[0]
        # the last pooling covers the whole map, so its kernel depends on the size
        kernel = ", ".join(dict.fromkeys(_text(one.kernel) for one in rows))
        numbers = (row.channels, row.stride, row.padding, row.dilation)
        channels, *others = (_text(number) for number in numbers)
        shape = (row.kind, channels, kernel, *others, *(str(one.size) for one in rows))
        # the first convolution has more where the images have more channels
        lines.append((shape, [one.parameters for one in rows]))
    body = []
    for (kind, *rest), group in groupby(lines, key=lambda line: line[0]):
        parameters = [numbers for _, numbers in group]
        name = f"{len(parameters)} × {kind}" if len(parameters) > 1 else kind
        sums = dict.fromkeys(f"{sum(column):,}" for column in zip(*parameters, strict=True))
        body.append([name, *rest, " or ".join(sums)])
    return head, body


def _heads(networks: dict[str, list[LayerRow]]) -> tuple[list[str], list[list[str]]]:
    """Head and body of the totals."""
    body = []
    for design in DESIGNS:
        numbers = totals(networks[design.name])
        cells = [design.name, f"{numbers['trunk']:,}"]
        for letter, k in design.heads.items():
            cells += [f"{design.sub_heads} × {k}", f"{numbers[f'head {letter}']:,}"]
        body.append([*cells, f"{numbers['total']:,}"])
    head = ["network", "trunk", "head A", "parameters", "head B", "parameters", "total"]
    return head, body


def _families() -> list[str]:
    return list(dict.fromkeys(design.settings.family for design in DESIGNS))


def _markdown(title: str, caption: str, networks: dict[str, list[LayerRow]]) -> bytes:
    parts = [f"# {title}", caption]
    for family in _families():
        parts += [f"## Network {family}", _pipes(*_trunk(networks, family))]
    parts += ["## Parameters with both heads", _pipes(*_heads(networks))]
    return ("\n\n".join(parts) + "\n").encode()


def _pipes(head: list[str], body: list[list[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])


def _latex(name: str, caption: str, networks: dict[str, list[LayerRow]]) -> bytes:
    tables = []
    for family in _families():
        head, body = _trunk(networks, family)
        label = f"{name}_{family.lower()}"
        columns = "l" + "r" * (len(head) - 1)
        tables.append(booktabs(label, f"{caption} Network {family}.", columns, head, body))
    head, body = _heads(networks)
    columns = "l" + "r" * (len(head) - 1)
    tables.append(booktabs(name, f"{caption} Parameters.", columns, head, body))
    return b"\n".join(tables)


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
