"""Scattering coefficients, against convolutions written out in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from iic.methods.wide_residual.morlet import Scattering
from iic.methods.wide_residual.network_settings import (
    ScatteringSettings,
    WideResidualNetworkSettings,
)
from iic.params.errors import SettingsError
from iic.params.loading import validate

Array = np.ndarray[Any, Any]


def on_torus(function: Any, side: int) -> Array:
    """Values of a function of the plane at whole pixels, wrapped around."""
    reach = range(-2, 3)
    return np.array(
        [
            [
                sum(
                    function(row + side * up, column + side * left)
                    for up in reach
                    for left in reach
                )
                for column in range(side)
            ]
            for row in range(side)
        ]
    )


def morlet(side: int, scale: int, angle: float, slant: float) -> Array:
    deviation, wave = 0.8 * 2**scale, 0.75 * np.pi / 2**scale

    def part(frequency: float) -> Array:
        def value(row: float, column: float) -> complex:
            along = row * np.cos(angle) + column * np.sin(angle)
            across = -row * np.sin(angle) + column * np.cos(angle)
            exponent = -(along**2 + slant**2 * across**2) / 2 / deviation**2
            return np.exp(exponent + 1j * frequency * along)

        return on_torus(value, side) * slant / (2 * np.pi * deviation**2)

    waves, envelope = part(wave), part(0)
    return waves - waves.sum() / envelope.sum() * envelope


def convolved(image: Array, kernel: Array) -> Array:
    """Sum over v of kernel(v) image(u - v), on the torus."""
    side = len(image)
    total = np.zeros((side, side), dtype=np.complex128)
    for row in range(side):
        for column in range(side):
            total += kernel[row, column] * np.roll(image, (row, column), (0, 1))
    return total


def test_coefficients_are_those_of_direct_convolutions() -> None:
    scales, directions, size = 2, 2, 8
    image = np.random.default_rng(0).uniform(size=(size, size))
    step = 2**scales
    side = size + 2 * step
    torus = np.pad(image, step, mode="reflect")
    average = on_torus(
        lambda row, column: np.exp(-(row**2 + column**2) / 2 / 1.6**2) / (2 * np.pi * 1.6**2), side
    )
    wavelets = [
        [morlet(side, scale, np.pi * number / directions, 4 / directions) for number in range(2)]
        for scale in range(scales)
    ]

    def averaged(maps: Array) -> Array:
        return convolved(maps, average).real[step:-step:step, step:-step:step]

    firsts = [[abs(convolved(torus, one)) for one in same] for same in wavelets]
    expected = [averaged(torus), *(averaged(one) for same in firsts for one in same)]
    for first in firsts[0]:
        expected += [averaged(abs(convolved(first, second))) for second in wavelets[1]]
    settings = ScatteringSettings(scale=scales, angles=directions)
    images = torch.tensor(np.stack([image, image.T])[None], dtype=torch.float32)
    found = Scattering(settings, size)(images)
    assert found.shape == (1, 2 * 9, 2, 2) and settings.coefficients == 9
    np.testing.assert_allclose(found[0, :9].numpy(), np.array(expected), atol=2e-6)
    # of the second channel the average is the first's, mirrored
    torch.testing.assert_close(found[0, 9], found[0, 0].T)


def test_the_released_transform_has_81_maps_a_channel() -> None:
    assert ScatteringSettings().coefficients == 81
    with torch.device("meta"):
        assert Scattering(ScatteringSettings(), 96)(torch.empty(2, 3, 96, 96)).shape == (
            2, 243, 24, 24,
        )  # fmt: skip


def test_an_even_image_has_no_wavelets() -> None:
    found = Scattering(ScatteringSettings(), 16)(torch.full((1, 1, 16, 16), 0.7))
    torch.testing.assert_close(found[0, 0], torch.full((4, 4), 0.7), atol=1e-4, rtol=0)
    assert found[0, 1:].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("size", "scale", "says"),
    [
        (
            96,
            7,
            r"scattering.scale: 7 averages over 2\^7 = 128 pixels.*scale 1 or 2 or 3 or 4 or 5",
        ),
        (90, 2, r"do not divide input_size 90 into maps of several pixels: scale 1 is needed"),
        (9, 1, "another input_size is needed"),
    ],
)
def test_a_scale_that_does_not_fit_the_images_is_refused(size: int, scale: int, says: str) -> None:
    settings = {"input_size": size, "in_channels": 3, "scattering": {"scale": scale}}
    with pytest.raises(SettingsError, match=says):
        validate(WideResidualNetworkSettings, settings, "tests", "classifier")
