"""The head on two patches of the stretched map: shapes, sizes, and the shortcut's equality."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from iic.methods.patch_pairs.network import build_patch_pairs, cut_stretched, stretching
from iic.methods.patch_pairs.settings import PatchHeadSettings
from iic.networks.segmentation import build_segmentation
from iic.params.segmentation import SegmentationNetworkSettings

SMALL = SegmentationNetworkSettings(input_size=24, in_channels=5, channels=(4, 6, 8, 8))
HEAD = PatchHeadSettings(branch_channels=7, hidden=9)


@pytest.mark.parametrize(("length", "target"), [(60, 128), (96, 200), (8, 24), (5, 5), (9, 4)])
def test_the_matrix_stretches_as_interpolation_does(length: int, target: int) -> None:
    lines = torch.rand(3, 2, length, generator=torch.Generator().manual_seed(0)).double()
    expected = functional.interpolate(lines, size=target, mode="linear", align_corners=False)
    matrix = stretching(length, target, lines.device, torch.float64)
    torch.testing.assert_close(lines @ matrix.T, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_patches_are_those_of_the_stretched_map(shared: bool) -> None:
    """In float64, with gradients: only the patches' pixels are computed, with the same result."""
    draw = torch.Generator().manual_seed(0)
    features = torch.rand(6, 3, 10, 12, generator=draw, dtype=torch.float64, requires_grad=True)
    size, side, border = (24, 30), 5, 2
    rows = torch.randint(border, size[0] - border, (6,), generator=draw)
    columns = torch.randint(border, size[1] - border, (6,), generator=draw)
    centres = torch.stack([rows, columns], dim=1)
    centres[:2] = torch.tensor([[2, 2], [21, 27]])
    if shared:
        centres = centres[1:2]
    patches = cut_stretched(features, centres, side, size)
    stretched = functional.interpolate(features, size=size, mode="bilinear", align_corners=False)
    expected = torch.stack(
        [
            stretched[
                index, :, row - border : row + border + 1, column - border : column + border + 1
            ]
            for index, (row, column) in enumerate(centres.expand(6, 2).tolist())
        ]
    )
    torch.testing.assert_close(patches, expected, rtol=0, atol=1e-12)
    weights = torch.rand(patches.shape, generator=draw, dtype=torch.float64)
    gradients = [
        torch.autograd.grad((patch * weights).sum(), features, retain_graph=True)[0]
        for patch in (patches, expected)
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-12)


def test_both_patches_go_through_one_branch() -> None:
    """Swapped weights of the joint layer and swapped patches give the same, in evaluation mode."""
    torch.manual_seed(0)
    network = build_patch_pairs(SMALL, 5, HEAD, 9).eval().double()
    images = torch.rand(4, 5, 24, 24, generator=torch.Generator().manual_seed(0)).double()
    centre, other = torch.tensor([[8, 9]]), torch.tensor([[14, 15]])
    before = network(images, centre, other)
    assert before.shape == (4, 9)
    first = network.joint[0]
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        first.weight.copy_(first.weight.roll(first.in_features // 2, dims=1))
    torch.testing.assert_close(network(images, other, centre), before, rtol=0, atol=1e-12)


def test_places_of_each_image_and_one_for_all_agree() -> None:
    torch.manual_seed(0)
    network = build_patch_pairs(SMALL, 5, HEAD, 1).eval().double()
    images = torch.rand(4, 5, 24, 24, generator=torch.Generator().manual_seed(0)).double()
    centre, other = torch.tensor([[8, 9]]), torch.tensor([[14, 15]])
    each = network(images, centre.expand(4, 2), other.expand(4, 2))
    torch.testing.assert_close(network(images, centre, other), each, rtol=0, atol=1e-12)


def test_the_trunk_is_that_of_the_segmentation_network_of_the_same_seed() -> None:
    torch.manual_seed(3)
    mine = build_patch_pairs(SMALL, 5, HEAD, 9)
    torch.manual_seed(3)
    theirs = build_segmentation(SMALL, {"B": 3}, 1)
    for key, value in theirs.trunk.state_dict().items():
        assert torch.equal(mine.trunk.state_dict()[key], value), key


@pytest.mark.parametrize(("outputs", "number"), [(9, 258_486_281), (1, 258_478_081)])
def test_the_published_head_has_as_many_weights_as_the_fact_sheet_says(
    outputs: int, number: int
) -> None:
    network = SegmentationNetworkSettings(input_size=128, in_channels=5)
    with torch.device("meta"):
        built = build_patch_pairs(network, 11, PatchHeadSettings(), outputs)
    head = [*built.branch.parameters(), *built.joint.parameters()]
    assert sum(one.numel() for one in head) == number
    assert sum(parameter.numel() for parameter in built.trunk.parameters()) == 4_503_744


def test_first_weights() -> None:
    torch.manual_seed(0)
    network = build_patch_pairs(SMALL, 5, PatchHeadSettings(branch_channels=64, hidden=200), 9)
    for layer in network.joint:
        if isinstance(layer, nn.Linear):
            assert float(layer.weight.std()) == pytest.approx(0.01, rel=0.05)
            assert not layer.bias.any()
    convolution = network.branch[0]
    assert isinstance(convolution, nn.Conv2d) and convolution.bias is None
    assert float(convolution.weight.std()) == pytest.approx((2 / (8 * 9)) ** 0.5, rel=0.05)
