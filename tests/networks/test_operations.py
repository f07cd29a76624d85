"""Operations of networks: counted on the networks themselves, and kept in a file that is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from iic.cli.app import app
from iic.networks.build import build_trunk
from iic.networks.describe import describe
from iic.networks.operations import count, counted
from iic.params import operations
from iic.params.errors import IICError
from iic.params.networks import NetworkSettings
from iic.params.operations import FILE, NetworkPass, NotCounted, Operations, committed, text
from iic.params.runs import load_plan, scale_names

TRUNK = "iic.networks.build.build_trunk"
B = NetworkSettings(family="B", input_size=24, in_channels=1)


@pytest.mark.long
def test_the_file_is_true() -> None:
    """Remedy where this fails: `iic export operations`."""
    assert FILE.read_text() == text(counted(load_plan(scale) for scale in scale_names()))


def test_the_file_has_the_passes_of_all_runs_and_every_eighth_is_true() -> None:
    """Remedy where this fails: `iic export operations`. All of them take half a minute."""
    passes: dict[str, NetworkPass] = {}

    def note(way: NetworkPass) -> Operations:
        passes[way.key] = way
        return committed(way)

    for scale in scale_names():
        plan = load_plan(scale)
        for run in plan.runs.values():
            run.settings.cost(plan.datasets[run.dataset], note)
    assert set(json.loads(FILE.read_text())) == set(passes)
    for key in sorted(passes)[::8]:
        assert count(passes[key]) == committed(passes[key]), key


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (NetworkSettings(family="A", input_size=32, in_channels=2), 443.7),
        (NetworkSettings(family="A", input_size=64, in_channels=2), 1_447.3),
        (B, 89.4),
        (NetworkSettings(family="A", input_size=21, in_channels=5, width=0.125), None),
    ],
)
def test_the_count_is_that_of_the_layers_and_of_the_spec(
    network: NetworkSettings, millions: float | None
) -> None:
    """Two counts of one network, and those of docs/spec/images.md#networks."""
    shape = (network.in_channels, network.input_size, network.input_size)
    layers = describe(build_trunk(network), shape)
    operations = count(NetworkPass(TRUNK, network))
    assert operations.forward == 2 * sum(row.macs for row in layers)
    # a third each: forward, weights' gradients, inputs' gradients; the images need none
    assert operations.training == 3 * operations.forward - 2 * layers[0].macs
    if millions is not None:
        assert operations.forward / 2e6 == pytest.approx(millions, abs=0.05)


class Three(nn.Module):
    """Three parts that take as much, 2 * 24 ** 3 operations an image."""

    def __init__(self, settings: NetworkSettings, **others: object) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(24, 24, bias=False) for _ in range(3))

    def unlearned(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.first(x)


def test_a_route_goes_through_parts_and_methods() -> None:
    builder, each = f"{__name__}.Three", 2 * 24**3
    ways = {
        ("first",): (each, 2 * each),
        ("first", "second", "third"): (3 * each, 8 * each),
        ("unlearned", "second"): (2 * each, 3 * each),
        ("second", "unlearned"): (2 * each, 2 * each),
    }
    for route, expected in ways.items():
        assert count(NetworkPass(builder, B, route=route)) == expected, route


def test_other_settings_have_another_key_and_the_same_ones_the_same() -> None:
    ways = [
        NetworkPass(TRUNK, B),
        NetworkPass(TRUNK, B, {"a": 1}),
        NetworkPass(TRUNK, B, {"a": 2}),
        NetworkPass(TRUNK, B, {"a": B}),
        NetworkPass(TRUNK, B, route=("forward",)),
        NetworkPass(TRUNK, B.model_copy(update={"width": 0.5})),
        NetworkPass(TRUNK, NetworkSettings(family="A", input_size=24, in_channels=1)),
    ]
    assert len({way.key for way in ways}) == len(ways)
    assert (
        NetworkPass(TRUNK, B, {"b": 1, "a": 2}).key == NetworkPass(TRUNK, B, {"a": 2, "b": 1}).key
    )


def test_what_the_file_does_not_have_is_an_error_of_its_own() -> None:
    with pytest.raises(NotCounted, match=r"(?s)trunk\(.*width: 0\.3.*remedy: run `iic export"):
        committed(NetworkPass(TRUNK, B.model_copy(update={"width": 0.3})))


@pytest.mark.parametrize("builder", ["iic.networks.build.build", "iic.networks.nothing.here"])
def test_a_network_that_cannot_be_built_is_not_counted(builder: str) -> None:
    with pytest.raises(NotCounted, match="cannot be counted"):
        count(NetworkPass(builder, B))


@pytest.mark.parametrize("content", [None, "{", "[1, "])
def test_a_damaged_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "operations.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(operations, "FILE", path)
    with pytest.raises(IICError, match=r"operations\.json: .*\n  remedy: run `iic export"):
        committed(NetworkPass(TRUNK, B))


def test_the_check_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iic.networks.operations.counted", lambda plans: {"a": Operations(1, 3)})
    path = tmp_path / "operations.json"
    monkeypatch.setattr(operations, "FILE", path)
    runner = CliRunner()
    done = runner.invoke(app, ["export", "operations", "--check"])
    assert isinstance(done.exception, IICError) and "run `iic export operations`" in str(
        done.exception
    )
    assert runner.invoke(app, ["export", "operations"]).exit_code == 0
    assert path.read_text() == '{\n"a": [1, 3]\n}\n'
    assert runner.invoke(app, ["export", "operations", "--check"]).exit_code == 0
