"""Where the two patches of a pair lie, counted and by brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from iic.methods.patch_pairs.patch_places import PatchPairs, context_pairs, neighbour_pairs

GEOMETRIES = [(128, 11), (200, 11), (40, 5), (40, 9), (44, 11), (12, 3)]
"""Side of the image and of a patch: the paper's, those of scale mini, and the tightest."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def apart(pairs: PatchPairs) -> Tensor:
    return (pairs.other - pairs.centre).double()


def check_inside(pairs: PatchPairs, size: int, side: int) -> None:
    for centres in pairs[:2]:
        assert centres.dtype == torch.int64
        corners = torch.stack([centres - side // 2, centres + side // 2])
        assert int(corners.min()) >= 0 and int(corners.max()) < size
    # floor of uniform on [1.5 side, size - 1.5 side)
    assert int(pairs.centre.min()) >= math.floor(1.5 * side)
    assert int(pairs.centre.max()) < math.ceil(size - 1.5 * side)


@pytest.mark.parametrize(("size", "side"), GEOMETRIES)
@pytest.mark.parametrize("directions", [8, 9])
def test_context_pairs(size: int, side: int, directions: int) -> None:
    pairs = context_pairs(
        20_000, size=size, side=side, directions=directions, generator=generator()
    )
    check_inside(pairs, size, side)
    assert set(pairs.target.tolist()) == set(range(directions))
    angle = pairs.target * math.pi / 4
    along = torch.stack([angle.sin(), angle.cos()], dim=1)
    # what flooring the second centre takes from the exact offset is less than a pixel
    exact = (apart(pairs) + 0.5).mul(along).sum(dim=1)
    assert ((exact >= 1.5 * side - 1) & (exact <= 2 * side + 1)).all()
    across = (apart(pairs) + 0.5) @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]).double()
    assert (across.mul(along).sum(dim=1).abs() < 1).all()


def test_eight_directions_are_the_compass_and_the_ninth_is_the_first() -> None:
    pairs = context_pairs(20_000, size=128, side=11, directions=9, generator=generator())
    signs = {
        answer: set(map(tuple, apart(pairs)[pairs.target == answer].sign().long().tolist()))
        for answer in range(9)
    }
    # rows grow downwards; a straight line may lose its zero to the last bit of a sine
    for direction, (row, column) in enumerate(
        [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1)]
    ):
        rows, columns = ({sign[axis] for sign in signs[direction]} for axis in (0, 1))
        assert rows <= ({row} if row else {0, -1}) and row in rows | {0}
        assert columns <= ({column} if column else {0, -1}) and column in columns | {0}
    share = torch.bincount(pairs.target, minlength=9) / len(pairs.target)
    # in a large image nearly no direction is thrown away
    assert (share - 1 / 9).abs().max() < 0.01


def test_the_distance_is_uniform_where_nothing_is_thrown_away() -> None:
    # patches so large that whole pixels hardly matter
    pairs = context_pairs(40_000, size=90_000, side=1001, directions=8, generator=generator())
    radius = (apart(pairs) + 0.5).norm(dim=1)
    counts = torch.histc(radius, bins=5, min=1501.5, max=2002) / len(radius)
    assert (counts - 0.2).abs().max() < 0.01


@pytest.mark.parametrize(("size", "side"), GEOMETRIES)
def test_neighbour_pairs(size: int, side: int) -> None:
    pairs = neighbour_pairs(20_000, size=size, side=side, positive=0.5, generator=generator())
    check_inside(pairs, size, side)
    near = pairs.target == 1
    assert abs(float(near.float().mean()) - 0.5) < 0.015
    assert (apart(pairs)[near].abs() == side).all()
    corners = {tuple(corner) for corner in apart(pairs)[near].tolist()}
    assert len(corners) == 4
    far = (apart(pairs)[~near] + 0.5).norm(dim=1)
    assert far.min() >= 2 * side - 1 and far.max() <= size


@pytest.mark.parametrize("positive", [0.2, 0.9])
def test_how_often_patches_are_adjacent(positive: float) -> None:
    pairs = neighbour_pairs(20_000, size=40, side=5, positive=positive, generator=generator())
    assert float(pairs.target.float().mean()) == pytest.approx(positive, abs=0.015)


def test_negatives_are_drawn_as_by_throwing_away_pairs_one_by_one() -> None:
    """The same distribution of distances and rows as a plain loop over single pairs."""
    size, side = 40, 5
    pairs = neighbour_pairs(20_000, size=size, side=side, positive=0.5, generator=generator())
    far = pairs.target == 0
    draw, loop = generator(1), []
    while len(loop) < 10_000:
        u = torch.rand(4, generator=draw, dtype=torch.float64)
        centre = (u[:2] * (size - 3 * side) + 1.5 * side).floor()
        radius, angle = 2 * side + (size - 2 * side) * u[2], 2 * math.pi * u[3]
        other = (centre + radius * torch.stack([angle.sin(), angle.cos()])).floor()
        if (other >= side // 2).all() and (other < size - side // 2).all():
            loop.append(torch.cat([centre, other]))
    expected = torch.stack(loop)
    drawn = torch.cat([pairs.centre, pairs.other], dim=1)[far].double()
    assert (drawn.mean(0) - expected.mean(0)).abs().max() < 0.5
    assert (drawn.std(0) - expected.std(0)).abs().max() < 0.3
    lengths = [(pair[:, 2:] - pair[:, :2]).norm(dim=1) for pair in (drawn, expected)]
    shares = [torch.histc(length, bins=6, min=9, max=39) / len(length) for length in lengths]
    assert (shares[0] - shares[1]).abs().max() < 0.02


def test_the_same_seed_gives_the_same_places() -> None:
    for again, equal in ((0, True), (1, False)):
        first, other = (
            context_pairs(50, size=40, side=5, directions=9, generator=generator(seed))
            for seed in (0, again)
        )
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True)) is equal


def test_an_image_that_is_too_small_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(ValueError, match="no two patches of side 11"):
        neighbour_pairs(1, size=33, side=11, positive=1e-9, generator=generator())
