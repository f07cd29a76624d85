"""Rotation, affine map and cutout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from iic.augment import affine, cutout, rotation
from iic.augment.batch import unit_range
from iic.params.augmentation import Affine
from tests.augment.augment_helpers import photographs, seeded


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 31), (1, 8)])
def test_rotation_is_torchvisions_nearest(channels: int, size: int) -> None:
    images = photographs(60, channels, size)
    angles = rotation.draw(60, 180.0, 1.0, seeded())
    result = rotation.apply(images, angles)
    assert result.dtype == torch.uint8
    expected = torch.stack(
        [tv.rotate(image, float(angle)) for image, angle in zip(images, angles, strict=True)]
    )
    assert (result == expected).float().mean() >= 0.995
    assert not torch.equal(result, images)


def test_rotation_of_floats_that_are_not_square() -> None:
    images = unit_range(photographs(10, 1, 24))[..., :17]
    angles = torch.linspace(-25, 25, 10)
    result = rotation.apply(images, angles)
    expected = torch.stack(
        [tv.rotate(image, float(angle)) for image, angle in zip(images, angles, strict=True)]
    )
    assert (result == expected).float().mean() >= 0.995


def test_rotation_by_nothing_changes_nothing() -> None:
    for size in (8, 28, 33):
        images = photographs(5, 1, size)
        assert torch.equal(rotation.apply(images, torch.zeros(5)), images)


def test_rotation_fills_with_black() -> None:
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    turned = rotation.apply(white, torch.tensor([25.0]))
    assert turned[0, 0, 0, 0] == 0 and turned[0, 0, 14, 14] == 255


def test_rotation_draws() -> None:
    angles = rotation.draw(20_000, 25.0, 0.5, seeded())
    assert 0.48 < (angles != 0).float().mean() < 0.52
    assert angles.abs().max() <= 25
    assert angles.max() > 24.9 and angles.min() < -24.9
    assert abs(float(angles[angles != 0].mean())) < 0.5


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(-180, 180), shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    scale=st.floats(0.5, 2), shear=st.floats(-40, 40), size=st.sampled_from([24, 33]),
)  # fmt: skip
def test_affine_is_torchvisions_bilinear(
    angle: float, shift: tuple[int, int], scale: float, shear: float, size: int
) -> None:
    images = unit_range(photographs(1, 3, size))
    numbers = (angle, shift[0], shift[1], scale, shear)
    maps = affine.AffineMaps(torch.tensor([True]), *(torch.tensor([float(n)]) for n in numbers))
    expected = tv.affine(
        images,
        angle=angle,
        translate=list(shift),
        scale=scale,
        shear=[shear, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    torch.testing.assert_close(affine.apply(images, maps), expected, atol=1e-3, rtol=0)


def test_affine_draws_and_inactive_images() -> None:
    images = unit_range(photographs(200, 3, 20))
    maps = affine.draw(200, 64, seeded(), Affine())
    assert 70 < int(maps.active.sum()) < 130
    assert 17 < maps.angle.abs().max() <= 18 and 9 < maps.shear.abs().max() <= 10
    assert 0.9 <= maps.scale.min() < 0.91 and 1.09 < maps.scale.max() <= 1.1
    for shift in (maps.shift_x, maps.shift_y):
        assert torch.equal(shift, shift.round())
        assert 5 <= shift.abs().max() <= 6 and shift.min() < 0 < shift.max()
    result = affine.apply(images, maps)
    assert torch.equal(result[~maps.active], images[~maps.active])
    changed = (result != images).flatten(1).any(1)
    assert changed[maps.active].all()


def test_cutout_is_torchvisions_erase() -> None:
    images = unit_range(photographs(300, 3, 32))
    squares = cutout.draw(300, 32, seeded(), probability=0.5, side=(6, 22))
    result = cutout.apply(images, squares)
    zip_ = zip(squares.top.tolist(), squares.left.tolist(), squares.side.tolist(), strict=True)
    for i, (top, left, side) in enumerate(zip_):
        black = torch.zeros(3, side, side)
        expected = tv.erase(images[i], top, left, side, side, black) if side else images[i]
        assert torch.equal(result[i], expected)


def test_cutout_draws_are_those_of_the_released_code() -> None:
    squares = cutout.draw(20_000, 64, seeded(), probability=0.5, side=(12, 44))
    cut = squares.side > 0
    assert 0.48 < cut.float().mean() < 0.52
    sides = squares.side[cut]
    assert sides.unique().tolist() == list(range(12, 45, 2))
    # 12 to 43 halve to an even side in pairs, 44 alone
    shares = torch.bincount(sides)[12:45:2] / len(sides)
    assert torch.allclose(shares, torch.tensor([2 / 33] * 16 + [1 / 33]), atol=0.01)
    for start in (squares.top[cut], squares.left[cut]):
        for side in (12, 30, 44):
            reached = start[sides == side]
            # a centre is drawn below the image's side less half the square's
            assert reached.min() == 0 and reached.max() == 64 - side - 1
    assert cutout.draw(9, 8, seeded(), probability=1.0, side=(8, 8)).top.tolist() == [0] * 9
    with pytest.raises(ValueError, match="side 44 does not fit into images of side 40"):
        cutout.draw(1, 40, seeded(), probability=0.5, side=(12, 44))
