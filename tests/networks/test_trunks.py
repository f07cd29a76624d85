from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet34

from iic.networks.build import build, build_trunk
from iic.networks.resnet import ResNetTrunk
from iic.networks.vgg import VGGTrunk
from iic.params.networks import NetworkSettings


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def trunk_a(size: int, in_channels: int = 2, **settings: object) -> ResNetTrunk:
    trunk = build_trunk(
        NetworkSettings(family="A", input_size=size, in_channels=in_channels, **settings)  # type: ignore[arg-type]
    )
    assert isinstance(trunk, ResNetTrunk)
    return trunk


def trunk_b(size: int, in_channels: int = 1, **settings: object) -> VGGTrunk:
    trunk = build_trunk(
        NetworkSettings(family="B", input_size=size, in_channels=in_channels, **settings)  # type: ignore[arg-type]
    )
    assert isinstance(trunk, VGGTrunk)
    return trunk


@pytest.mark.parametrize(("in_channels", "expected"), [(2, 21_276_416), (5, 21_278_144)])
def test_parameters_of_a(in_channels: int, expected: int) -> None:
    assert parameters(trunk_a(64, in_channels)) == expected


def test_parameters_of_a_before_and_in_the_last_stage() -> None:
    trunk = trunk_a(64)
    last = parameters(trunk.stages[-1])
    assert (parameters(trunk) - last, last) == (8_162_048, 13_114_368)


@pytest.mark.parametrize(("in_channels", "expected"), [(1, 4_304_320), (5, 4_310_720)])
def test_parameters_of_b(in_channels: int, expected: int) -> None:
    assert parameters(trunk_b(24, in_channels)) == expected


@pytest.mark.parametrize(
    ("family", "size", "in_channels", "heads", "expected"),
    [
        pytest.param("A", 64, 2, {"A": 70, "B": 10}, 21_481_616, id="STL10"),
        pytest.param("A", 32, 2, {"A": 70, "B": 10}, 21_481_616, id="CIFAR10"),
        pytest.param("A", 32, 2, {"A": 140, "B": 20}, 21_686_816, id="CIFAR100-20"),
        pytest.param("B", 24, 1, {"A": 50, "B": 10}, 5_687_020, id="MNIST"),
        pytest.param("B", 24, 1, {"B": 10}, 4_304_320 + 230_450, id="single head"),
        pytest.param("B", 24, 1, {"B": 25}, 4_304_320 + 576_125, id="MNIST 25"),
        pytest.param("B", 24, 5, {"B": 280}, 4_310_720 + 6_452_600, id="CIFAR100-20 280"),
    ],
)
def test_parameters_with_heads(
    family: str, size: int, in_channels: int, heads: dict[str, int], expected: int
) -> None:
    settings = NetworkSettings(family=family, input_size=size, in_channels=in_channels)  # type: ignore[arg-type]
    assert parameters(build(settings, heads, sub_heads=5)) == expected


@pytest.mark.parametrize(
    ("size", "maps", "penultimate"),
    [
        (32, [17, 17, 9, 5, 3], 6_400),
        (64, [33, 33, 17, 9, 5], 20_736),
        (96, [49, 49, 25, 13, 7], 43_264),
        # an odd size, not in the paper: half of it rounded down, plus one
        (21, [11, 11, 6, 3, 2], 256 * 3 * 3),
    ],
)
def test_feature_sizes_of_a(size: int, maps: list[int], penultimate: int) -> None:
    trunk = trunk_a(size).eval()
    x = torch.rand(1, 2, size, size)
    seen = []
    for module in (trunk.stem, *trunk.stages):
        module.register_forward_hook(lambda m, i, out: seen.append(out.shape[2]))
    with torch.no_grad():
        assert trunk(x).shape == (1, trunk.out_features) == (1, 512)
        assert seen == maps
        assert trunk.penultimate(x).shape == (1, trunk.penultimate_features) == (1, penultimate)
    # the last stage is not even computed for penultimate features
    assert seen == maps + maps[:-1]


@pytest.mark.parametrize(("size", "last", "features"), [(24, 3, 4_608), (64, 8, 32_768)])
def test_feature_sizes_of_b(size: int, last: int, features: int) -> None:
    trunk = trunk_b(size).eval()
    seen = []
    for module in trunk.layers:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, out: seen.append(out.shape[2]))
    with torch.no_grad():
        assert trunk(torch.rand(1, 1, size, size)).shape == (1, trunk.out_features) == (1, features)
    assert seen == [size, size // 2, size // 4, last]


def test_a_computes_what_torchvision_resnet34_computes_with_this_stem() -> None:
    trunk = trunk_a(32).double().eval()
    oracle = resnet34()
    oracle.conv1 = nn.Conv2d(2, 64, 3, 1, 1, bias=False)
    oracle.maxpool = nn.MaxPool2d(2, 2, padding=1)
    oracle.fc = nn.Identity()
    # both register their modules in the same order
    values = list(trunk.state_dict().values())
    keys = [key for key in oracle.state_dict() if not key.startswith("fc.")]
    assert len(keys) == len(values)
    # running statistics off their initial values, so that a misplaced BatchNorm shows
    generator = torch.Generator().manual_seed(0)
    for value in values:
        if value.ndim == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=generator, dtype=torch.float64))
    oracle.double().eval()
    oracle.load_state_dict(dict(zip(keys, values, strict=True)))
    x = torch.rand(2, 2, 32, 32, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(trunk(x), oracle(x))


@pytest.mark.parametrize("family", ["A", "B"])
def test_initialisation(family: str) -> None:
    torch.manual_seed(0)
    trunk = trunk_a(32) if family == "A" else trunk_b(24)
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is None
            # Kaiming: the gain of ReLU over the root of the fan
            channels = module.out_channels if family == "A" else module.in_channels
            expected = (2 / (channels * module.kernel_size[0] ** 2)) ** 0.5
            count = module.weight.numel()
            assert module.weight.std().item() == pytest.approx(expected, rel=4 / count**0.5)
            assert abs(module.weight.mean().item()) < 5 * expected / count**0.5
            # normal, not uniform: some of it lies beyond sqrt(3) standard deviations
            assert (module.weight.abs() > 2.0 * expected).float().mean() > 0.01
        elif isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-5 and module.momentum == 0.1
            assert (module.weight == 1).all() and (module.bias == 0).all()


@pytest.mark.parametrize("family", ["A", "B"])
def test_batchnorm_without_running_statistics_uses_the_batch_in_evaluation(family: str) -> None:
    make, size, c = (trunk_a, 8, 2) if family == "A" else (trunk_b, 16, 1)
    torch.manual_seed(1)
    trunk = make(size, width=0.125, batchnorm_running_statistics=False)
    assert not [name for name, _ in trunk.named_buffers()]
    x = torch.rand(6, c, size, size)
    with torch.no_grad():
        training = trunk.train()(x)
        torch.testing.assert_close(trunk.eval()(x), training)
        # so an image's features depend on its companions
        assert not torch.allclose(trunk(x[:3]), training[:3], atol=1e-3)


@pytest.mark.parametrize("family", ["A", "B"])
def test_batchnorm_with_running_statistics_does_not(family: str) -> None:
    make, size, c = (trunk_a, 8, 2) if family == "A" else (trunk_b, 16, 1)
    torch.manual_seed(1)
    trunk = make(size, width=0.125)
    assert [name for name, _ in trunk.named_buffers() if name.endswith("running_var")]
    x = torch.rand(6, c, size, size)
    with torch.no_grad():
        training = trunk.train()(x)
        evaluated = trunk.eval()(x)
        assert not torch.allclose(evaluated, training, atol=1e-3)
        torch.testing.assert_close(trunk(x[:3]), evaluated[:3])


def test_smaller_networks() -> None:
    small = trunk_a(16, width=0.25, blocks=[1, 1, 1, 1])
    assert small.out_features == 128
    assert [len(list(stage.children())) for stage in small.stages] == [1, 1, 1, 1]
    assert small(torch.rand(2, 2, 16, 16)).shape == (2, 128)
    shallow = trunk_a(20, channels=[8, 16], blocks=[2, 1])
    assert shallow(torch.rand(2, 2, 20, 20)).shape == (2, 16)
    assert shallow.penultimate(torch.rand(2, 2, 20, 20)).shape == (2, shallow.penultimate_features)
    assert trunk_b(16, width=0.5)(torch.rand(2, 1, 16, 16)).shape == (2, 256 * 2 * 2)
    assert trunk_b(18, channels=[8, 12])(torch.rand(2, 1, 18, 18)).shape == (2, 12 * 9 * 9)
