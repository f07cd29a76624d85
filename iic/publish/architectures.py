"""Supplementary table 1: the networks' layers, read off the networks themselves.

The csv has one line per layer of each of the paper's networks, then the totals of the trunk, of
each head and of everything; the columns are `COLUMNS`. Sizes are those of the listing's runs at
the paper's values, whatever the scale. The supplement names only convolutions, blocks and most
poolings; what it leaves out (the padded max-pooling of A's stem, the dilation in C and the padding
of its heads) is listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import nn

from iic.networks.build import build as build_network
from iic.networks.describe import LayerRow, describe
from iic.networks.segmentation import build_segmentation
from iic.params.errors import SettingsError
from iic.params.networks import NetworkSettings
from iic.params.runs import Plan
from iic.params.segmentation import SegmentationNetworkSettings
from iic.publish.built import Built, build_listing
from iic.publish.wording import Grid
from iic.records.sources import Series

COLUMNS = (
    "network position layer channels kernel stride padding dilation output_size parameters"
).split()
MODULES = ["iic.networks.build", "iic.networks.describe", "iic.networks.segmentation"]


@dataclass(frozen=True, eq=False)
class Design:
    """A network as the paper used it for some dataset."""

    paper: str
    """The paper's name of the dataset."""
    settings: NetworkSettings | SegmentationNetworkSettings
    heads: dict[str, int]
    """Clusters of each sub-head: A the overclustering head, B the main one."""
    sub_heads: int
    """Sub-heads of each head."""

    @property
    def name(self) -> str:
        """As the csv calls it, e.g. ``A, STL10``."""
        return f"{self.settings.family}, {self.paper}"


def build(plan: Plan, name: str, root: Path = Path()) -> Built:
    """The table's files; nothing is read from disk.

    Args:
        plan: What the scale holds; the listing names runs of two heads, one a network.
        name: Name of the listing.
        root: Not needed.

    Raises:
        SettingsError: A run of the listing has no network of two heads.
    """
    networks = {design: layers(design) for design in _designs(plan, name)}
    families = dict.fromkeys(design.settings.family for design in networks)
    grids = [_trunk(networks, family) for family in families]
    series = [Series(name=design.name, modules=MODULES) for design in networks]
    return build_listing(plan, name, COLUMNS, _lines(networks), [*grids, _heads(networks)], series)


def _designs(plan: Plan, name: str) -> list[Design]:
    listing = plan.listings[name]
    designs = []
    for run in listing.runs:
        definition = plan.definitions[run]
        settings: Any = definition.settings
        try:
            heads = {"A": settings.head_a.k, "B": settings.head_b.k}
            paper = listing.datasets.get(definition.paper_dataset, definition.paper_dataset)
            designs.append(Design(paper, settings.network, heads, settings.sub_heads))
        except AttributeError:
            raise SettingsError(
                "params/figures.yaml",
                f"listings.{name}.runs",
                f"{run!r} is of {definition.method}, which trains no network of two heads",
                allowed="runs with network, head_a, head_b and sub_heads in their settings",
            ) from None
    return designs


Networks = dict[Design, list[LayerRow]]


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


def _lines(networks: Networks) -> Iterator[dict[str, object]]:
    """The lines of the csv: layer by layer, then the totals."""
    for design, rows in networks.items():
        for position, row in enumerate(rows, start=1):
            shape = (row.channels, row.kernel, row.stride, row.padding, row.dilation, row.size)
            values = (design.name, position, _layer(row), *shape, row.parameters)
            yield dict(zip(COLUMNS, values, strict=True))
        for part, number in totals(rows).items():
            label = part if part == "total" else f"total of {part}"
            yield {"network": design.name, "layer": label, "parameters": number}


def _trunk(networks: Networks, family: str) -> Grid:
    """A family's trunk; equal neighbours are one line, sizes one column each."""
    designs: dict[int, list[Design]] = {}
    for design in networks:
        if design.settings.family == family:
            designs.setdefault(design.settings.input_size, []).append(design)
    sizes = {
        side: [row for row in networks[same[0]] if _part(row) == "trunk"]
        for side, same in designs.items()
    }
    outputs = [
        f"output, {side} px ({', '.join(design.paper for design in same)})"
        for side, same in designs.items()
    ]
    lines = []
    for rows in zip(*sizes.values(), strict=True):
        row = rows[0]
        # the last pooling covers the whole map, so its kernel depends on the size
        kernel = ", ".join(dict.fromkeys(_text(same.kernel) for same in rows))
        numbers = (row.channels, row.stride, row.padding, row.dilation)
        channels, *others = (_text(number) for number in numbers)
        shape = (row.kind, channels, kernel, *others, *(str(same.size) for same in rows))
        # the first convolution has more where the images have more channels
        lines.append((shape, [same.parameters for same in rows]))
    body = []
    for (kind, *rest), group in groupby(lines, key=lambda line: line[0]):
        parameters = [numbers for _, numbers in group]
        name = f"{len(parameters)} × {kind}" if len(parameters) > 1 else kind
        sums = dict.fromkeys(f"{sum(column):,}" for column in zip(*parameters, strict=True))
        body.append([name, *rest, " or ".join(sums)])
    shape = ("layer", "channels", "kernel", "stride", "padding", "dilation")
    title = f"Network {family}"
    return Grid([*shape, *outputs, "parameters"], body, 1, title, f"{title}.", family.lower())


def _heads(networks: Networks) -> Grid:
    """The totals."""
    body = []
    for design, rows in networks.items():
        numbers = totals(rows)
        cells = [design.name, f"{numbers['trunk']:,}"]
        for letter, k in design.heads.items():
            cells += [f"{design.sub_heads} × {k}", f"{numbers[f'head {letter}']:,}"]
        body.append([*cells, f"{numbers['total']:,}"])
    head = ["network", "trunk", "head A", "parameters", "head B", "parameters", "total"]
    return Grid(head, body, 1, "Parameters with both heads", "Parameters.")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
