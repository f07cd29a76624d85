"""Multi-crop equals torchvision's functions, given the same draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import RandomResizedCrop
from torchvision.transforms.v2 import functional as tv

from iic.augment import jitter, resized_window
from iic.augment.batch import unit_range
from iic.augment.multi_crop import CropDraws, MultiCrop
from iic.augment.resized_window import Rectangles
from iic.params.multi_crop import (
    CropSettings,
    LargeCropSettings,
    MultiCropSettings,
    SmallCropSettings,
)
from tests.augment.augment_helpers import LEVEL, photographs, seeded

OPERATIONS = {
    jitter.BRIGHTNESS: tv.adjust_brightness,
    jitter.CONTRAST: tv.adjust_contrast,
    jitter.SATURATION: tv.adjust_saturation,
}


def by_torchvision(image: torch.Tensor, draws: CropDraws, i: int, size: int) -> torch.Tensor:
    """One crop of one image (3, H, W), step by step."""
    if draws.flips[i]:
        image = tv.horizontal_flip(image)
    window = draws.rectangles
    sides = (int(side[i]) for side in (window.top, window.left, window.height, window.width))
    image = tv.resized_crop(image, *sides, [size, size], antialias=True)
    if draws.jittered[i]:
        assert draws.jitters.hue is not None
        for operation in draws.jitters.order[i].tolist():
            if operation == jitter.HUE:
                image = tv.adjust_hue(image, float(draws.jitters.hue[i]))
            else:
                factor = float(draws.jitters.factors[i, operation])
                image = OPERATIONS[operation](image, factor)
    return tv.rgb_to_grayscale(image, num_output_channels=3) if draws.grey[i] else image


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("kind", ["large", "small"])
def test_every_crop_is_torchvisions(side: int, kind: str) -> None:
    own = MultiCropSettings()
    crop = getattr(own, kind)
    pipeline = MultiCrop(own)
    images = photographs(48, 3, side)
    draws = pipeline.draw(crop, len(images), side, side, seeded())
    assert 0 < draws.flips.sum() < 48 and 0 < draws.jittered.sum() < 48 and 0 < draws.grey.sum()
    result = pipeline.apply(crop, images, draws)
    floats = unit_range(images)
    for i in range(len(images)):
        expected = by_torchvision(floats[i], draws, i, crop.size)
        torch.testing.assert_close(result[i], expected, atol=LEVEL, rtol=0)
    # a neighbour's draws would be seen
    assert (result - pipeline.apply(crop, images.roll(1, 0), draws)).abs().max() > 10 * LEVEL


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 40))
def test_any_window_is_torchvisions(data: st.DataObject, size: int) -> None:
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    top, left = data.draw(st.integers(0, 23 - height + 1)), data.draw(st.integers(0, 24 - width))
    image = unit_range(photographs(1, 3, 24))
    window = Rectangles(*(torch.tensor([one]) for one in (top, left, height, width)))
    expected = tv.resized_crop(image, top, left, height, width, [size, size], antialias=True)
    result = resized_window.apply(image, window, size)
    torch.testing.assert_close(result, expected, atol=LEVEL / 10, rtol=0)


@pytest.mark.parametrize("shape", [(32, 32), (20, 60), (60, 20)])
@pytest.mark.parametrize("area", [(0.2, 1.0), (0.08, 0.4), (1.0, 1.0)])
def test_windows_are_distributed_as_torchvisions(
    shape: tuple[int, int], area: tuple[float, float]
) -> None:
    torch.manual_seed(0)
    reference = RandomResizedCrop(8, scale=area, ratio=(3 / 4, 4 / 3))
    image = torch.zeros(1, 3, *shape)
    theirs = torch.tensor(
        [list(reference.make_params([image]).values()) for _ in range(3000)], dtype=torch.float
    )
    drawn = resized_window.draw(3000, *shape, seeded(), area=area, ratio=(3 / 4, 4 / 3))
    ours = torch.stack([drawn.top, drawn.left, drawn.height, drawn.width], 1).float()
    spread = theirs.std(0) + ours.std(0) + 1e-6
    assert ((ours.mean(0) - theirs.mean(0)).abs() / spread).max() < 0.06
    assert ((ours.std(0) - theirs.std(0)).abs() / spread).max() < 0.06
    assert (drawn.top + drawn.height).max() <= shape[0] and drawn.top.min() >= 0
    assert (drawn.left + drawn.width).max() <= shape[1] and drawn.left.min() >= 0


def test_crops_are_two_large_and_four_small_normalised() -> None:
    pipeline = MultiCrop(MultiCropSettings())
    images = photographs(6, 3, 32)
    crops = pipeline.crops(images, seeded())
    assert [crop.shape[-1] for crop in crops] == [28, 28, 18, 18, 18, 18]
    assert all(crop.dtype == torch.float32 for crop in crops)
    assert not torch.equal(crops[0], crops[1])
    again = pipeline.crops(images, seeded())
    assert all(torch.equal(one, other) for one, other in zip(crops, again, strict=True))
    own = pipeline.settings
    expected = tv.normalize(unit_range(images), list(own.mean), list(own.deviation))
    torch.testing.assert_close(pipeline.evaluation(images), expected)


def test_settings_of_crops() -> None:
    with pytest.raises(ValueError, match="two crops in all are needed"):
        MultiCropSettings(large=LargeCropSettings(count=1), small=SmallCropSettings(count=0))
    with pytest.raises(ValueError, match="must be \\[smallest, largest\\]"):
        CropSettings(count=1, size=18, area=(0.5, 0.4))
