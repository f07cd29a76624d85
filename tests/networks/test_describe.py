from __future__ import annotations

import pytest
import torch
from torch import nn

from iic.networks.build import build, build_trunk
from iic.networks.describe import describe
from iic.params.networks import NetworkSettings


def test_rows_of_a() -> None:
    settings = NetworkSettings(family="A", input_size=32, in_channels=2)
    network = build(settings, {"A": 70, "B": 10}, sub_heads=5)
    rows = describe(network, (2, 32, 32))
    summary = [(row.kind, row.channels, row.kernel, row.stride, row.size) for row in rows]
    assert summary == [
        ("Conv", 64, 3, 1, 32),
        ("BatchNorm", 64, None, None, 32),
        ("MaxPool", 64, 2, 2, 17),
        *[("BasicBlock", 64, 3, 1, 17)] * 3,
        ("BasicBlock", 128, 3, 2, 9),
        *[("BasicBlock", 128, 3, 1, 9)] * 3,
        ("BasicBlock", 256, 3, 2, 5),
        *[("BasicBlock", 256, 3, 1, 5)] * 5,
        ("BasicBlock", 512, 3, 2, 3),
        *[("BasicBlock", 512, 3, 1, 3)] * 2,
        ("AvgPool", 512, 3, 1, 1),
        ("Linear", 350, None, None, 1),
        ("Linear", 50, None, None, 1),
    ]
    assert sum(row.parameters for row in rows) == 21_481_616
    assert [row.parameters for row in rows if row.kind == "Linear"] == [179_550, 25_650]


def test_rows_of_b() -> None:
    settings = NetworkSettings(family="B", input_size=24, in_channels=1)
    rows = describe(build_trunk(settings), (1, 24, 24))
    summary = [(row.kind, row.channels, row.kernel, row.size) for row in rows]
    assert [row for row in summary if row[0] != "BatchNorm"] == [
        ("Conv", 64, 5, 24),
        ("MaxPool", 64, 2, 12),
        ("Conv", 128, 5, 12),
        ("MaxPool", 128, 2, 6),
        ("Conv", 256, 5, 6),
        ("MaxPool", 256, 2, 3),
        ("Conv", 512, 5, 3),
    ]
    assert sum(row.parameters for row in rows) == 4_304_320


@pytest.mark.parametrize(
    ("family", "size", "in_channels", "millions"),
    [("A", 32, 2, 443.7), ("A", 64, 2, 1_447.0), ("B", 24, 1, 89.4)],
)
def test_multiplications_per_image(
    family: str, size: int, in_channels: int, millions: float
) -> None:
    settings = NetworkSettings(family=family, input_size=size, in_channels=in_channels)  # type: ignore[arg-type]
    rows = describe(build_trunk(settings), (in_channels, size, size))
    assert sum(row.macs for row in rows) / 1e6 == pytest.approx(millions, abs=0.5)


@pytest.mark.parametrize("running_statistics", [True, False])
def test_the_network_stays_as_it_was(running_statistics: bool) -> None:
    settings = NetworkSettings(
        family="B",
        input_size=8,
        in_channels=1,
        width=0.125,
        batchnorm_running_statistics=running_statistics,
    )
    network = build(settings, {"B": 2}, sub_heads=1).train()
    frozen = next(m for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    frozen.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    # a last map of one pixel
    assert describe(network, (1, 8, 8)) == describe(network, (1, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training and not frozen.training
    assert not any(module._forward_hooks for module in network.modules())
