"""The transforms of DAC and ADC: each part by itself, and together within bounds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from iic.augment import affine
from iic.augment.pipeline import build
from iic.augment.warp import WarpPipeline
from iic.params.augmentation import Affine, WarpAugmentation
from tests.augment.augment_helpers import photographs, seeded

STILL = Affine(probability=0.0)


def settings(channels: int = 3, **changes: Any) -> WarpAugmentation:
    given: dict[str, Any] = {"kind": "warp", "image_channels": channels, "crop": 16}
    given |= {"input_size": 16, "affine": STILL}
    return WarpAugmentation(**given | changes)


def test_with_everything_off_nothing_changes() -> None:
    images = photographs(5, 3, 16)
    pipeline = build(settings())
    assert isinstance(pipeline, WarpPipeline)
    pixels = images.float() / 255
    for made in (
        pipeline.transformed(images, 2, seeded()),
        pipeline.original(images, seeded()).repeat(2, 1, 1, 1),
        pipeline.evaluation(images).repeat(2, 1, 1, 1),
    ):
        torch.testing.assert_close(made, pixels.repeat(2, 1, 1, 1))


def test_evaluation_is_the_centre_at_the_networks_size() -> None:
    images = photographs(4, 1, 24)
    made = WarpPipeline(settings(1, input_size=12)).evaluation(images)
    wanted = tv.resize(images[:, :, 4:20, 4:20].float() / 255, [12, 12], antialias=True)
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=0)


def test_the_affine_map_is_of_the_crop() -> None:
    images, settings_ = photographs(6, 3, 16), Affine(probability=1.0, translate=0.2)
    pipeline = WarpPipeline(settings(affine=settings_))
    draws = pipeline.draw_transformed(6, 16, 16, seeded())
    wanted = affine.apply(images.float() / 255, draws.maps)
    torch.testing.assert_close(pipeline.apply_transformed(images, draws), wanted)
    assert float((wanted - images.float() / 255).abs().mean()) > 0.02


def test_shifts_are_of_whole_channels_and_noise_of_single_pixels() -> None:
    grey = torch.full((200, 3, 16, 16), 128, dtype=torch.uint8)
    shifted = WarpPipeline(settings(shift=0.2)).transformed(grey, 1, seeded()) - 128 / 255
    assert float(shifted.std(dim=(2, 3)).max()) < 1e-6
    assert 0.18 < float(shifted.abs().max()) <= 0.2 + 1e-6
    assert float((shifted[:, 0] - shifted[:, 1]).abs().mean()) > 0.05
    noisy = WarpPipeline(settings(noise=0.05)).transformed(grey, 1, seeded()) - 128 / 255
    assert float(noisy.std()) == pytest.approx(0.05, rel=0.02)
    assert abs(float(noisy.mean())) < 1e-3


@pytest.mark.parametrize("channels", [1, 3])
def test_all_together_stay_in_range_and_follow_the_generator(channels: int) -> None:
    everything = settings(
        channels, affine=Affine(probability=1.0), flip_probability=0.5, shift=0.4, contrast=0.8,
        saturation=0.3, hue=0.1, noise=0.1,
    )  # fmt: skip
    images = photographs(40, channels, 20)
    pipeline = WarpPipeline(everything)
    first, again, other = (pipeline.transformed(images, 2, seeded(seed)) for seed in (1, 1, 2))
    assert first.shape == (80, channels, 16, 16) and first.dtype == torch.float32
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float(first.min()) >= 0 and float(first.max()) <= 1
    # each image by its own row, whatever else is in the batch
    draws = pipeline.draw_transformed(40, 20, 20, seeded(3))
    alone = pipeline.apply_transformed(images[7:8], draws.rows(slice(7, 8)))
    torch.testing.assert_close(alone, pipeline.apply_transformed(images, draws)[7:8])


def test_half_of_the_images_are_mirrored() -> None:
    images = photographs(300, 3, 16)
    made = WarpPipeline(settings(flip_probability=0.5)).transformed(images, 1, seeded())
    pixels = images.float() / 255
    mirrored = (made - pixels.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-6
    same = (made - pixels).abs().amax(dim=(1, 2, 3)) < 1e-6
    assert bool((mirrored ^ same).all()) and 110 < int(mirrored.sum()) < 190
