from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from iic.augment.crop_resize import CropResize, Windows, crop, resize_weights
from tests.augment.augment_helpers import LEVEL, photographs, seeded


def by_torchvision(image: torch.Tensor, top: int, left: int, side: int, out: int) -> torch.Tensor:
    unit = tv.to_dtype(image, torch.float32, scale=True)
    return tv.resize(tv.crop(unit, top, left, side, side), [out, out], antialias=True)


@settings(max_examples=40, deadline=None)
@given(
    side=st.integers(1, 24),
    out=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_one_side_is_torchvisions_crop_and_antialiased_resize(
    side: int, out: int, channels: int, seed: int
) -> None:
    images = photographs(4, channels, 24, seed)
    cropper = CropResize([side], out)
    windows = cropper.draw(4, 24, 24, seeded(seed))
    result = cropper.apply(images, windows)
    assert result.dtype == torch.float32
    for i in range(4):
        expected = by_torchvision(images[i], int(windows.top[i]), int(windows.left[i]), side, out)
        torch.testing.assert_close(result[i], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_several_sides_in_one_batch(channels: int) -> None:
    images = photographs(30, channels, 28)
    cropper = CropResize([16, 20, 24, 28], 24)
    windows = cropper.draw(30, 28, 28, seeded())
    assert len(windows.size_index.unique()) == 4
    result = cropper.apply(images, windows)
    for i in range(30):
        side = cropper.sizes[int(windows.size_index[i])]
        expected = by_torchvision(images[i], int(windows.top[i]), int(windows.left[i]), side, 24)
        torch.testing.assert_close(result[i], expected, atol=1e-5, rtol=0)


def test_images_need_not_be_square() -> None:
    images = photographs(12, 1, 28)[:, :, :20]
    cropper = CropResize([10, 20], 15)
    windows = cropper.draw(12, 20, 28, seeded())
    result = cropper.apply(images, windows)
    for i in range(12):
        side = cropper.sizes[int(windows.size_index[i])]
        expected = by_torchvision(images[i], int(windows.top[i]), int(windows.left[i]), side, 15)
        torch.testing.assert_close(result[i], expected, atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(extent=st.integers(20, 40), side=st.integers(1, 20))
def test_centre_is_torchvisions_center_crop(extent: int, side: int) -> None:
    images = photographs(2, 1, extent)
    cropper = CropResize([side], side)
    result = cropper.apply(images, cropper.centred(2, extent, extent, images.device))
    assert torch.equal((result * 255).round().byte(), tv.center_crop(images, [side, side]))


def test_crop_without_resize_copies_pixels_exactly() -> None:
    images = photographs(9, 3, 32)
    windows = CropResize([20], 20).draw(9, 32, 32, seeded())
    for cropper in (CropResize([20], 20), CropResize([20, 20], 20)):
        result = cropper.apply(images, windows) * 255
        assert torch.equal(result.round().byte(), crop(images, windows.top, windows.left, 20))
        torch.testing.assert_close(result, result.round(), atol=1e-4, rtol=0)


def test_every_offset_and_side_is_drawn_about_equally_often() -> None:
    windows = CropResize([16, 20, 24], 24).draw(30_000, 28, 28, seeded())
    for index, side in enumerate([16, 20, 24]):
        chosen = windows.size_index == index
        assert 0.31 < chosen.float().mean() < 0.355
        for offsets in (windows.top[chosen], windows.left[chosen]):
            shares = torch.bincount(offsets) / len(offsets)
            assert len(shares) == 28 - side + 1
            torch.testing.assert_close(
                shares, torch.full_like(shares, 1 / len(shares)), atol=0.02, rtol=0
            )
    assert not torch.equal(windows.top, windows.left)


def test_crop_larger_than_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"side 24 does not fit into images of 20x28"):
        CropResize([16, 24], 24).draw(3, 20, 28, seeded())


def test_plain_bilinear_would_not_pass_when_shrinking() -> None:
    """The antialiasing that PIL does is visible: the comparisons above can tell."""
    image = photographs(1, 1, 24)
    zero = torch.zeros(1, dtype=torch.int64)
    ours = CropResize([24], 9).apply(image, Windows(zero, zero, zero))
    unit = tv.to_dtype(image, torch.float32, scale=True)
    assert (ours - tv.resize(unit, [9, 9], antialias=False)).abs().max() > 5 * LEVEL


@given(size_in=st.integers(1, 50), size_out=st.integers(1, 50))
def test_weights_are_averages(size_in: int, size_out: int) -> None:
    weights = resize_weights(size_in, size_out)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(size_out, dtype=torch.float64))
    torch.testing.assert_close(weights, weights.flip(0, 1))
