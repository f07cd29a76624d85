"""Two of three colours give way to noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iic.methods.patch_pairs.colour_dropping import (
    ColourStatistics,
    colour_statistics,
    drop_colours,
)

STATISTICS = ColourStatistics(torch.tensor([0.2, 0.5, 0.8]), torch.tensor([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("channels", [3, 4, 5])
def test_one_colour_stays_and_the_others_are_noise_around_its_mean(channels: int) -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(600, channels, 16, 16, generator=draw)
    found = drop_colours(images, STATISTICS, draw)
    assert found.shape == images.shape
    # infrared and gradients are left as they are
    assert torch.equal(found[:, 3:], images[:, 3:])
    same = (found[:, :3] == images[:, :3]).flatten(2).all(dim=2)
    assert (same.sum(dim=1) == 1).all()
    kept = same.long().argmax(dim=1)
    assert (torch.bincount(kept, minlength=3) / 600 - 1 / 3).abs().max() < 0.06
    for colour in range(3):
        noise = found[:, :3][kept == colour][:, [one for one in range(3) if one != colour]]
        deviation = 0.01 * float(STATISTICS.deviation[colour])
        assert float(noise.mean()) == pytest.approx(float(STATISTICS.mean[colour]), abs=1e-4)
        assert float(noise.std()) == pytest.approx(deviation, rel=0.02)
        # of each pixel and each channel its own
        assert float((noise[:, 0] - noise[:, 1]).std()) == pytest.approx(2**0.5 * deviation, 0.03)


def test_statistics_are_those_of_the_pixels_inside_the_images() -> None:
    draw = np.random.default_rng(0)
    images = np.zeros((600, 4, 9, 8), np.uint8)
    sizes = np.stack([draw.integers(3, 10, 600), draw.integers(3, 9, 600)], axis=1)
    pixels: list[np.ndarray] = []
    indices = np.flatnonzero(draw.random(600) < 0.9)
    for index, (height, width) in enumerate(sizes):
        content = draw.integers(0, [[[90]], [[160]], [[256]], [[30]]], (4, height, width))
        images[index, :, :height, :width] = content
        if index in indices:
            pixels.append(content[:3].reshape(3, -1))
    known = np.concatenate(pixels, axis=1) / 255
    found = colour_statistics(images, sizes, draw.permutation(indices))
    np.testing.assert_allclose(found.mean.numpy(), known.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.deviation.numpy(), known.std(axis=1), rtol=1e-6)
