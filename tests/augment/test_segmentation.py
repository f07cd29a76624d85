"""Transforms of segmentation: what is cut, what is mirrored, which channels the jitter reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iic.augment.greyscale import greyscale
from iic.augment.segmentation import Corners, SegmentationTransforms
from iic.augment.sobel import sobel
from iic.params.segmentation import SegmentationAugmentation

SIDE = 12
STILL = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}


def transforms(**changes: object) -> SegmentationTransforms:
    return SegmentationTransforms(
        SegmentationAugmentation.model_validate({"input_size": SIDE, **changes})
    )


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(number: int = 6, channels: int = 3, height: int = 20, width: int = 17) -> torch.Tensor:
    return torch.randint(
        0, 256, (number, channels, height, width), dtype=torch.uint8, generator=draw(5)
    )


def test_windows_lie_inside_each_image_and_reach_its_borders() -> None:
    sizes = torch.tensor([[12, 12], [20, 17], [13, 17]]).repeat(400, 1)
    corners = transforms().random(sizes, draw())
    for starts, axis in ((corners.top, 0), (corners.left, 1)):
        room = sizes[:, axis] - SIDE
        assert int(starts.min()) == 0 and bool((starts <= room).all())
        for size in sizes[:3, axis]:
            chosen = starts[sizes[:, axis] == size]
            assert sorted(chosen.unique().tolist()) == list(range(int(size) - SIDE + 1))


def test_cutting_images_and_labels_alike() -> None:
    pixels = images()
    labels = torch.arange(6 * 20 * 17).view(6, 20, 17)
    corners = Corners(torch.tensor([0, 1, 2, 3, 4, 8]), torch.tensor([5, 4, 3, 2, 1, 0]))
    cut, cut_labels = transforms().cut(pixels, corners), transforms().cut(labels, corners)
    assert cut.shape == (6, 3, SIDE, SIDE) and cut_labels.shape == (6, SIDE, SIDE)
    for index in range(6):
        rows = slice(int(corners.top[index]), int(corners.top[index]) + SIDE)
        columns = slice(int(corners.left[index]), int(corners.left[index]) + SIDE)
        assert torch.equal(cut[index], pixels[index, :, rows, columns])
        assert torch.equal(cut_labels[index], labels[index, rows, columns])


def test_centre_of_even_and_odd_rooms() -> None:
    corners = transforms().centred(torch.tensor([[12, 13], [20, 17]]))
    assert corners.top.tolist() == [0, 4] and corners.left.tolist() == [0, 2]


def test_original_is_untouched_but_for_gradients() -> None:
    window = images(height=SIDE, width=SIDE)
    out = transforms().original(window)
    assert out.shape == (6, 5, SIDE, SIDE) and out.dtype == torch.float32
    assert torch.equal(out[:, :3], window.float() / 255)
    assert torch.equal(out[:, 3:], sobel(greyscale(window.float() / 255)))


def test_bgr_swaps_colours_before_grey_values_are_taken() -> None:
    window = images(height=SIDE, width=SIDE)
    swapped = transforms(channel_order="bgr").original(window)
    assert torch.equal(swapped, transforms().original(window.flip(1)))
    assert not torch.equal(swapped[:, 3:], transforms().original(window)[:, 3:])


def test_infrared_is_mirrored_and_never_jittered() -> None:
    window = images(channels=4, height=SIDE, width=SIDE)
    out, flipped = transforms(sobel=False).transformed(window, 1, draw())
    assert out.shape == (6, 4, SIDE, SIDE) and 0 < int(flipped.sum()) < 6
    infrared = window[:, 3].float() / 255
    for index in range(6):
        wanted = infrared[index].flip(1) if flipped[index] else infrared[index]
        assert torch.equal(out[index, 3], wanted)
    assert not torch.allclose(out[~flipped][:, :3], window[~flipped][:, :3].float() / 255)


def test_repeats_are_drawn_independently() -> None:
    window = images(height=SIDE, width=SIDE)
    out, flipped = transforms(**STILL).transformed(window, 3, draw(1))
    assert out.shape == (18, 5, SIDE, SIDE) and flipped.shape == (18,)
    plain = transforms().original(window)
    mirrored = transforms().original(window.flip(3))
    for place in range(18):
        assert torch.allclose(out[place], (mirrored if flipped[place] else plain)[place % 6])
    assert len({tuple(row) for row in flipped.view(3, 6).tolist()}) == 3


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_flip_probability(probability: float) -> None:
    _, flipped = transforms(flip_probability=probability).transformed(
        images(height=SIDE, width=SIDE), 2, draw()
    )
    assert flipped.float().mean() == probability


def test_equal_states_give_equal_pixels() -> None:
    window = images(height=SIDE, width=SIDE)
    first, _ = transforms().transformed(window, 2, draw(3))
    second, _ = transforms().transformed(window, 2, draw(3))
    other, _ = transforms().transformed(window, 2, draw(4))
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert np.isfinite(first.numpy()).all()
