from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from iic.networks.describe import describe
from iic.networks.map_heads import MapHeads
from iic.networks.segmentation import SegmentationNetwork, SegmentationTrunk, build_segmentation
from iic.params.segmentation import SegmentationNetworkSettings

WIDTHS = (4, 6, 8, 10)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def small(
    side: int = 24, head_padding: int = 1, running_statistics: bool = True
) -> SegmentationNetwork:
    """A narrow network with the heads A of 5 and B of 3 clusters, two sub-heads each."""
    settings = SegmentationNetworkSettings(
        input_size=side,
        in_channels=4,
        channels=WIDTHS,
        head_padding=head_padding,  # type: ignore[arg-type]
        batchnorm_running_statistics=running_statistics,
    )
    return build_segmentation(settings, {"A": 5, "B": 3}, sub_heads=2)


@pytest.mark.parametrize(
    ("side", "in_channels", "trunk", "maps"),
    [
        pytest.param(128, 5, 4_503_744, [128, 128, 64, 64, 64, 62, 60], id="COCO-Stuff"),
        pytest.param(200, 4, 4_503_168, [200, 200, 100, 100, 100, 98, 96], id="Potsdam"),
    ],
)
@pytest.mark.parametrize("head_padding", [0, 1])
def test_parameters_and_maps_of_the_papers_network(
    side: int, in_channels: int, trunk: int, maps: list[int], head_padding: int
) -> None:
    settings = SegmentationNetworkSettings(
        input_size=side,
        in_channels=in_channels,
        head_padding=head_padding,  # type: ignore[arg-type]
    )
    heads = {"A": 45, "B": 3}
    with torch.device("meta"):  # shapes and counts need no weights
        network = build_segmentation(settings, heads, sub_heads=1)
        rows = describe(network, (in_channels, side, side))
        assert network(torch.empty(2, in_channels, side, side), "B").shape == (2, 1, 3, side, side)
    assert parameters(network.trunk) == trunk
    assert {name: parameters(network.head(name)) for name in heads} == {"A": 23_040, "B": 1_536}
    passed = [row for row in rows if row.kind != "BatchNorm"]
    end = maps[-1] + 2 * head_padding
    assert [row.size for row in passed] == [*maps, end, end]
    assert settings.map_side == end
    summary = [(row.kind, row.channels, row.kernel, row.padding, row.dilation) for row in passed]
    assert summary == [
        ("Conv", 64, 3, 1, 1),
        ("Conv", 128, 3, 1, 1),
        ("MaxPool", 128, 2, 0, 1),
        ("Conv", 256, 3, 1, 1),
        ("Conv", 256, 3, 1, 1),
        ("Conv", 512, 3, 1, 2),
        ("Conv", 512, 3, 1, 2),
        ("Conv", 45, 1, head_padding, 1),
        ("Conv", 3, 1, head_padding, 1),
    ]
    assert sum(row.parameters for row in rows) == trunk + 23_040 + 1_536


@pytest.mark.parametrize(("side", "in_channels", "billions"), [(128, 5, 17.9), (200, 4, 45.0)])
def test_multiplications_per_image(side: int, in_channels: int, billions: float) -> None:
    with torch.device("meta"):
        trunk = SegmentationTrunk(
            in_channels=in_channels, channels=(64, 128, 256, 512), running_statistics=True
        )
        rows = describe(trunk, (in_channels, side, side))
    assert sum(row.macs for row in rows) / 1e9 == pytest.approx(billions, abs=0.05)


def test_a_position_of_the_map_sees_30_pixels() -> None:
    trunk = SegmentationTrunk(in_channels=1, channels=WIDTHS, running_statistics=True).eval()
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    # a maximum passes the gradient to one pixel only, an average to all
    trunk.layers[6] = nn.AvgPool2d(2)
    x = torch.rand(1, 1, 60, 60, requires_grad=True)
    trunk(x)[0, :, 13, 13].sum().backward()
    assert x.grad is not None
    seen = x.grad[0, 0].nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [30, 30]


@pytest.mark.parametrize("side", [24, 26, 64])
def test_padded_heads_leave_a_uniform_ring_to_cluster_0(side: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, side, side)
    with torch.no_grad():
        for name, k in (("A", 5), ("B", 3)):
            z = small(side).eval()(x, name)
            assert z.shape == (3, 2, k, side, side)
            torch.testing.assert_close(z.sum(dim=2), torch.ones(3, 2, side, side))
            ring = torch.ones(side, side, dtype=torch.bool)
            ring[1:-1, 1:-1] = False
            assert (z[..., ring] - 1 / k).abs().max() < 1e-7
            assert (z.argmax(dim=2)[..., ring] == 0).all()
            # one pixel further in the network decides
            inner = z[..., 1:-1, 1:-1]
            assert len(inner.argmax(dim=2).unique()) > 1
            assert (inner[..., 0, :] - 1 / k).abs().max() > 1e-4


def test_heads_without_padding_have_no_ring() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        z = small(head_padding=0).eval()(torch.randn(3, 4, 24, 24), "B")
    assert z.shape == (3, 2, 3, 24, 24)
    assert ((z[..., 0, :] - 1 / 3).abs().amax(dim=(0, 1, 2)) > 1e-4).all()
    assert len(z.argmax(dim=2)[..., 0, :].unique()) > 1


@pytest.mark.parametrize("head_padding", [0, 1])
def test_probabilities_and_not_logits_are_stretched_to_the_images_size(head_padding: int) -> None:
    torch.manual_seed(0)
    network = small(26, head_padding).double().eval()
    # sharp predictions, for which the order of the two steps matters
    network.head("A").convolution.weight.data *= 20
    x = torch.randn(2, 4, 26, 26, dtype=torch.float64)
    with torch.no_grad():
        z = network(x, "A")
        weight = network.head("A").convolution.weight
        for head in range(2):
            logits = nn.functional.conv2d(
                network.features(x), weight[5 * head : 5 * head + 5], padding=head_padding
            )
            assert logits.shape[-1] == 26 // 2 - 4 + 2 * head_padding
            expected = nn.functional.interpolate(logits.softmax(1), size=(26, 26), mode="bilinear")
            torch.testing.assert_close(z[:, head], expected, rtol=0, atol=1e-12)
            late = nn.functional.interpolate(logits, size=(26, 26), mode="bilinear").softmax(1)
            assert (late - expected).abs().max() > 1e-2
    assert z.dtype == torch.float64


def test_images_of_other_sizes_pass() -> None:
    network = small().eval()
    with torch.no_grad():
        assert network(torch.randn(1, 4, 37, 52), "B").shape == (1, 2, 3, 37, 52)


def test_a_pass_trains_the_trunk_and_its_own_head_only() -> None:
    network = small()
    network(torch.randn(2, 4, 24, 24), "B").square().sum().backward()
    assert network.head("A").convolution.weight.grad is None
    assert network.head("B").convolution.weight.grad is not None
    assert all(p.grad is not None for p in network.trunk.parameters())


def test_probabilities_are_float32_under_autocast() -> None:
    network = small().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.randn(2, 4, 24, 24)
        assert network.features(x).dtype == torch.bfloat16
        z = network(x, "B")
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.sum(dim=2), torch.ones(2, 2, 24, 24))


def test_initialisation() -> None:
    torch.manual_seed(0)
    settings = SegmentationNetworkSettings(input_size=128, in_channels=5)
    network = build_segmentation(settings, {"A": 45, "B": 15}, sub_heads=2)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 8
    for module in convolutions:
        assert module.bias is None
        expected = math.sqrt(2 / (module.in_channels * module.kernel_size[0] ** 2))
        count = module.weight.numel()
        assert module.weight.std().item() == pytest.approx(expected, rel=4 / count**0.5)
        # normal, not uniform: some of it lies beyond sqrt(3) standard deviations
        assert (module.weight.abs() > 2.0 * expected).float().mean() > 0.01
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-5 and module.momentum == 0.1
            assert (module.weight == 1).all() and (module.bias == 0).all()
    halves = network.head("B").convolution.weight.view(2, 15, 512)
    assert not torch.equal(halves[0], halves[1])


def test_initialisation_is_fixed_by_the_global_seed() -> None:
    def weights(heads: dict[str, int]) -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        settings = SegmentationNetworkSettings(input_size=24, in_channels=4, channels=WIDTHS)
        return build_segmentation(settings, heads, sub_heads=1).state_dict()

    first, again = weights({"A": 8, "B": 4}), weights({"B": 4, "A": 8})
    assert list(first) == list(again)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_batchnorm_without_running_statistics_uses_the_batch_in_evaluation() -> None:
    torch.manual_seed(0)
    network = small(running_statistics=False)
    assert not [name for name, _ in network.named_buffers()]
    x = torch.randn(3, 4, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x, "A"), network.train()(x, "A"))
        assert (network.eval()(x, "A")[:1] - network(x[:1], "A")).abs().max() > 1e-4
    assert [name for name, _ in small().named_buffers()]


def test_single_head_needs_no_name() -> None:
    settings = SegmentationNetworkSettings(input_size=24, in_channels=4, channels=WIDTHS)
    network = build_segmentation(settings, {"B": 4}, sub_heads=1).eval()
    x = torch.randn(2, 4, 24, 24)
    assert torch.equal(network(x), network(x, "B"))


@pytest.mark.parametrize("name", [None, "C"])
def test_unknown_or_ambiguous_head_is_named(name: str | None) -> None:
    with pytest.raises(ValueError, match=f"no head {name!r}: this network has A, B"):
        small()(torch.rand(2, 4, 24, 24), name)


@pytest.mark.parametrize(
    ("heads", "sub_heads"), [({}, 1), ({"B": 1}, 1), ({"B": 3, "A": 0}, 1), ({"B": 3}, 0)]
)
def test_impossible_heads_are_refused(heads: dict[str, int], sub_heads: int) -> None:
    settings = SegmentationNetworkSettings(input_size=24, in_channels=4, channels=WIDTHS)
    with pytest.raises(ValueError, match="at least one head"):
        build_segmentation(settings, heads, sub_heads)
    with pytest.raises(ValueError, match="at least one head"):
        SegmentationNetwork(nn.Identity(), {})


def test_logits_of_the_added_frame_are_zero() -> None:
    head = MapHeads(features=6, sub_heads=2, k=3, padding=1)
    logits = head(torch.randn(2, 6, 5, 7))
    assert logits.shape == (2, 2, 3, 7, 9)
    frame = torch.ones(7, 9, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    assert not logits[..., frame].any() and logits[..., ~frame].all()


def test_training_imports_neither_torchvision_nor_pandas() -> None:
    code = (
        "import sys, torch\n"
        "from iic.networks.segmentation import build_segmentation\n"
        "from iic.objective.segmentation import segmentation_loss\n"
        "from iic.params.segmentation import SegmentationNetworkSettings\n"
        "s = SegmentationNetworkSettings(input_size=16, in_channels=4, channels=(4, 4, 4, 4))\n"
        "z = build_segmentation(s, {'B': 3}, 1)(torch.rand(2, 4, 16, 16))\n"
        "segmentation_loss(z, z, None, 2).sum().backward()\n"
        "loaded = {'torchvision', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
