from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from iic.networks.build import build
from iic.networks.heads import SubHeads, logits_of
from iic.params.networks import NetworkSettings

SMALL = NetworkSettings(family="B", input_size=16, in_channels=1, width=0.125)


def test_sub_heads_equal_separate_linear_classifiers() -> None:
    torch.manual_seed(0)
    d, h, k = 13, 5, 7
    heads = SubHeads(d, h, k).double()
    torch.nn.init.normal_(heads.linear.bias)
    x = torch.randn(9, d, dtype=torch.float64)
    batched = heads(x).softmax(dim=2)
    assert batched.shape == (9, h, k)
    for i in range(h):
        single = torch.nn.Linear(d, k).double()
        with torch.no_grad():
            single.weight.copy_(heads.linear.weight[i * k : (i + 1) * k])
            single.bias.copy_(heads.linear.bias[i * k : (i + 1) * k])
        torch.testing.assert_close(batched[:, i], single(x).softmax(dim=1), rtol=0, atol=1e-14)


def test_sub_heads_start_different_with_the_given_spread() -> None:
    torch.manual_seed(0)
    heads = SubHeads(1000, 5, 10)
    assert (heads.linear.bias == 0).all()
    weight = heads.linear.weight.reshape(5, 10, 1000)
    assert weight.std(dim=(1, 2)).tolist() == pytest.approx([0.01] * 5, rel=0.05)
    assert len({tuple(row) for row in weight.flatten(1)[:, :3].tolist()}) == 5


def test_heads_start_as_spread_out_as_asked() -> None:
    """The trunk starts the same, and the heads' draws are the same ones, only larger."""
    torch.manual_seed(0)
    released = build(SMALL, {"A": 50, "B": 10}, sub_heads=3).state_dict()
    torch.manual_seed(0)
    wider = build(SMALL, {"A": 50, "B": 10}, sub_heads=3, deviation=0.1).state_dict()
    for name, value in released.items():
        factor = 10 if name.startswith("heads.") else 1
        torch.testing.assert_close(wider[name], factor * value, rtol=1e-5, atol=0)


def test_each_head_has_its_own_clusters_on_shared_features() -> None:
    torch.manual_seed(0)
    network = build(SMALL, {"A": 14, "B": 4}, sub_heads=3)
    x = torch.rand(5, 1, 16, 16)
    a, b = network(x, "A"), network(x, "B")
    assert a.shape == (5, 3, 14) and b.shape == (5, 3, 4)
    for z in (a, b):
        torch.testing.assert_close(z.sum(dim=2), torch.ones(5, 3))
    logits = network.heads["B"](network.features(x))
    torch.testing.assert_close(b, logits.softmax(dim=2))
    # a pass with one head leaves the other without gradient
    b.square().sum().backward()
    assert network.head("A").linear.weight.grad is None
    assert network.head("B").linear.weight.grad is not None
    assert all(p.grad is not None for p in network.trunk.parameters())


def test_single_head_needs_no_name() -> None:
    network = build(SMALL, {"B": 4}, sub_heads=2).eval()
    x = torch.rand(3, 1, 16, 16)
    assert torch.equal(network(x), network(x, "B"))


@pytest.mark.parametrize("name", [None, "C"])
def test_unknown_or_ambiguous_head_is_named(name: str | None) -> None:
    network = build(SMALL, {"A": 14, "B": 4}, sub_heads=2)
    with pytest.raises(ValueError, match=f"no head {name!r}: this network has A, B"):
        network(torch.rand(3, 1, 16, 16), name)


@pytest.mark.parametrize(
    ("heads", "sub_heads"), [({}, 5), ({"B": 1}, 5), ({"B": 10, "A": 0}, 5), ({"B": 10}, 0)]
)
def test_impossible_heads_are_refused(heads: dict[str, int], sub_heads: int) -> None:
    with pytest.raises(ValueError, match="at least one head"):
        build(SMALL, heads, sub_heads)


def test_probabilities_are_float32_under_autocast_and_float64_in_float64() -> None:
    network = build(SMALL, {"B": 4}, sub_heads=2).eval()
    x = torch.rand(3, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = network(x)
        assert network.features(x).dtype == torch.bfloat16
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.sum(dim=2), torch.ones(3, 2))
    assert network.double()(x.double()).dtype == torch.float64


def test_initialisation_is_fixed_by_the_global_seed() -> None:
    def weights(seed: int, heads: dict[str, int]) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return build(SMALL, heads, sub_heads=2).state_dict()

    first = weights(3, {"A": 8, "B": 4})
    after = torch.rand(4)
    for heads in ({"A": 8, "B": 4}, {"B": 4, "A": 8}):
        again = weights(3, heads)
        assert list(first) == list(again)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert torch.equal(torch.rand(4), after)
    other = weights(4, {"A": 8, "B": 4})
    assert not torch.equal(first["heads.B.linear.weight"], other["heads.B.linear.weight"])
    assert not torch.equal(first["trunk.layers.0.weight"], other["trunk.layers.0.weight"])


def test_training_imports_neither_torchvision_nor_pandas_nor_scikit_learn() -> None:
    code = (
        "import sys, torch\n"
        "from iic.networks.build import build\n"
        "import iic.objective.clustering, iic.evaluate.metrics\n"
        "from iic.params.networks import NetworkSettings\n"
        "s = NetworkSettings(family='A', input_size=8, in_channels=2, width=0.125)\n"
        "build(s, {'A': 4, 'B': 2}, 2)(torch.rand(2, 2, 8, 8), 'B').sum().backward()\n"
        "loaded = {'torchvision', 'pandas', 'sklearn'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("precise", [True, False])
def test_heads_in_float32_under_autocast(precise: bool) -> None:
    """bfloat16 has eight bits: sub-heads differ by less in loss on MNIST."""
    torch.manual_seed(0)
    network = build(SMALL, {"B": 4}, 2, precise).eval()
    x = torch.rand(6, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        features, z = network.features(x), network(x, "B")
        logits = logits_of(network.head("B"), features, precise)
    assert features.dtype == torch.bfloat16 and z.dtype == torch.float32
    assert logits.dtype == (torch.float32 if precise else torch.bfloat16)
    exact = network.heads["B"](features.float())
    torch.testing.assert_close(z, logits.float().softmax(dim=2))
    assert torch.equal(logits.float(), exact) is precise
    # without autocast it is the same
    with torch.no_grad():
        other = build(SMALL, {"B": 4}, 2, not precise).eval()
        other.load_state_dict(network.state_dict())
        assert torch.equal(network(x, "B"), other(x, "B"))
