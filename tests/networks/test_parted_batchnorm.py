"""BatchNorm in parts against what ``DataParallel`` does: chunks through copies of the network."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from iic.networks.build import build
from iic.networks.describe import describe
from iic.networks.parted_batchnorm import PartedBatchNorm2d
from iic.networks.segmentation import build_segmentation
from iic.params.networks import NetworkSettings
from iic.params.segmentation import SegmentationNetworkSettings

IMAGES = {
    "A": NetworkSettings(family="A", input_size=16, in_channels=2, channels=(4, 8), blocks=(1, 2)),
    "B": NetworkSettings(family="B", input_size=8, in_channels=2, channels=(4, 8)),
    "B without statistics": NetworkSettings(
        family="B",
        input_size=8,
        in_channels=2,
        channels=(4, 8),
        batchnorm_running_statistics=False,
    ),
}
MAPS = SegmentationNetworkSettings(input_size=16, in_channels=2, channels=(4, 6, 8, 8))


def network(name: str, parts: int) -> nn.Module:
    torch.manual_seed(0)
    change = {"batchnorm_parts": parts}
    if name == "C":
        return build_segmentation(MAPS.model_copy(update=change), {"B": 3}, 2).double()
    return build(IMAGES[name].model_copy(update=change), {"B": 3}, 2).double()


def images(name: str, number: int) -> Tensor:
    size = MAPS.input_size if name == "C" else IMAGES[name].input_size
    draw = torch.Generator().manual_seed(1)
    # other means in other images, so that chunks have other statistics
    level = torch.arange(number, dtype=torch.float64).view(-1, 1, 1, 1)
    return torch.rand(number, 2, size, size, dtype=torch.float64, generator=draw) * (1 + level)


# 75 images on two GPUs are 38 and 37, 90 on four 23, 23, 23 and 21; and chunks may be fewer
@pytest.mark.parametrize(
    ("number", "parts", "sizes"),
    [(8, 2, [4, 4]), (7, 2, [4, 3]), (9, 4, [3, 3, 3]), (10, 4, [3, 3, 3, 1])],
)
@pytest.mark.parametrize("name", [*IMAGES, "C"])
def test_parts_are_chunks_through_copies_of_the_network(
    name: str, number: int, parts: int, sizes: list[int]
) -> None:
    parted, plain = network(name, parts), network(name, 1)
    assert parted.state_dict().keys() == plain.state_dict().keys()
    for key, value in parted.state_dict().items():
        assert torch.equal(value, plain.state_dict()[key]), key
    x = images(name, number)
    replicas = [copy.deepcopy(plain) for _ in sizes]
    outputs = [copy_(chunk) for copy_, chunk in zip(replicas, x.split(sizes), strict=True)]
    expected, found = torch.cat(outputs), parted(x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(found, copy.deepcopy(plain)(x), rtol=1e-3)

    weights = torch.rand(found.shape, dtype=torch.float64)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for key, parameter in parted.named_parameters():
        gradients = [dict(one.named_parameters())[key].grad for one in replicas]
        torch.testing.assert_close(parameter.grad, sum(gradients), rtol=1e-7, atol=1e-10)
    # the first GPU's statistics are the network's; those of the others are lost
    for key, buffer in parted.named_buffers():
        torch.testing.assert_close(buffer, dict(replicas[0].named_buffers())[key])


@pytest.mark.parametrize("name", [*IMAGES, "C"])
def test_in_evaluation_parts_matter_without_running_statistics_alone(name: str) -> None:
    parted, plain = network(name, 3).eval(), network(name, 1).eval()
    x = images(name, 6)
    same = torch.equal(parted(x), plain(x))
    assert same is (name != "B without statistics")
    if not same:
        chunks = torch.cat([plain(chunk) for chunk in x.chunk(3)])
        torch.testing.assert_close(parted(x), chunks, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [*IMAGES, "C"])
def test_one_part_is_plain_batchnorm_and_parts_are_described_alike(name: str) -> None:
    kinds = {
        parts: {type(m) for m in network(name, parts).modules() if isinstance(m, nn.BatchNorm2d)}
        for parts in (1, 2)
    }
    assert kinds == {1: {nn.BatchNorm2d}, 2: {PartedBatchNorm2d}}
    size = MAPS.input_size if name == "C" else IMAGES[name].input_size
    rows = [describe(network(name, parts).float(), (2, size, size)) for parts in (1, 2)]
    assert rows[0] == rows[1]
