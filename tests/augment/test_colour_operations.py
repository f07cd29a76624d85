"""Greyscale, jitter, hue and Sobel."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from iic.augment import jitter
from iic.augment.batch import unit_range
from iic.augment.greyscale import greyscale
from iic.augment.sobel import sobel
from tests.augment.augment_helpers import LEVEL, photographs, seeded


def by_torchvision(image: torch.Tensor, jitters: jitter.Jitters, i: int) -> torch.Tensor:
    factors = jitters.factors[i].tolist()
    turn = float(jitters.hue[i]) if jitters.hue is not None else 0.0
    for operation in jitters.order[i].tolist():
        if operation == jitter.BRIGHTNESS:
            image = tv.adjust_brightness(image, factors[0])
        elif operation == jitter.CONTRAST:
            image = tv.adjust_contrast(image, factors[1])
        elif operation == jitter.SATURATION:
            image = tv.adjust_saturation(image, factors[2])
        elif turn:
            image = tv.adjust_hue(image, turn)
    return image


def test_greyscale() -> None:
    images = unit_range(photographs(8, 3, 20))
    expected = tv.rgb_to_grayscale(images, num_output_channels=1)
    torch.testing.assert_close(greyscale(images), expected, atol=0.05 * LEVEL, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("hue", [0.0, 0.125, 0.5])
def test_every_order_is_torchvisions_sequence(channels: int, hue: float) -> None:
    orders = torch.tensor(list(permutations(range(4))))
    images = unit_range(photographs(len(orders), channels, 24))
    drawn = jitter.draw(
        len(orders), seeded(), brightness=0.4, contrast=0.4, saturation=0.4, hue=hue
    )
    jitters = jitter.Jitters(drawn.factors, drawn.hue, orders)
    result = jitter.apply(images, jitters)
    worst = [
        (result[i] - by_torchvision(images[i], jitters, i)).abs().max() for i in range(len(orders))
    ]
    assert max(worst) < LEVEL
    # the order matters (in grey images only through what is clamped): a wrong one would be seen
    reversed_ = jitter.apply(images, jitter.Jitters(drawn.factors, drawn.hue, orders.flip(1)))
    assert ((result - reversed_).abs().amax((1, 2, 3)) > LEVEL).float().mean() > 0.3


@settings(max_examples=50, deadline=None)
@given(
    brightness=st.floats(0, 2), contrast=st.floats(0, 2), saturation=st.floats(0, 2),
    turn=st.floats(-0.5, 0.5), order=st.permutations(range(4)), seed=st.integers(0, 9),
)  # fmt: skip
@example(brightness=2.0**-126, contrast=1.0, saturation=0.0, turn=0.0, order=[0, 1, 3, 2], seed=0)
def test_any_strength(
    brightness: float,
    contrast: float,
    saturation: float,
    turn: float,
    order: list[int],
    seed: int,
) -> None:
    images = unit_range(photographs(2, 3, 12, seed))
    jitters = jitter.Jitters(
        torch.tensor([[brightness, contrast, saturation, 1.0]] * 2),
        torch.tensor([turn] * 2),
        torch.tensor([order] * 2),
    )
    result = jitter.apply(images, jitters)
    # away from the kink of equal channels, a rounding error of 1e-7 in low saturation may turn hue
    for i in range(2):
        expected = by_torchvision(images[i], jitters, i)
        torch.testing.assert_close(result[i], expected, atol=LEVEL, rtol=0)


def test_hue_of_pure_and_grey_colours() -> None:
    corners = torch.tensor(
        [[0.0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0],
         [0, 1, 1], [1, 0, 1], [0.2, 0.2, 0.9], [0.9, 0.2, 0.2], [0.3, 0.7, 0.3]]
    )  # fmt: skip
    images = corners.T.reshape(1, 3, 3, 4)
    for turn in (-0.5, -0.25, -0.125, 0.0, 0.1, 1 / 3, 0.5):
        result = jitter.shift_hue(images, torch.tensor([turn]))
        torch.testing.assert_close(result, tv.adjust_hue(images, turn), atol=1e-5, rtol=0)
    red_to_green = jitter.shift_hue(images, torch.tensor([1 / 3]))[0].flatten(1).T[3]
    torch.testing.assert_close(red_to_green, torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


def test_jitter_draws() -> None:
    drawn = jitter.draw(24_000, seeded(), brightness=0.4, contrast=0.3, saturation=0.2, hue=0.125)
    for column, strength in enumerate([0.4, 0.3, 0.2]):
        factors = drawn.factors[:, column]
        assert 1 - strength <= factors.min() < 1 - 0.99 * strength
        assert 1 + 0.99 * strength < factors.max() <= 1 + strength
        assert abs(float(factors.mean()) - 1) < 0.01
    assert drawn.hue is not None and 0.124 < drawn.hue.abs().max() <= 0.125
    codes = (drawn.order * torch.tensor([64, 16, 4, 1])).sum(1)
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == 24 and counts.min() > 850 and counts.max() < 1150
    independent = torch.corrcoef(torch.cat([drawn.factors[:, :3].T, drawn.hue[None]]))
    assert (independent - torch.eye(4)).abs().max() < 0.03


def test_sobel_is_cross_correlation_with_the_papers_kernels() -> None:
    images = unit_range(photographs(6, 1, 24))
    kernels = torch.tensor(
        [[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]]
    )
    expected = F.conv2d(images, kernels[:, None], padding=1)
    torch.testing.assert_close(sobel(images), expected, atol=1e-5, rtol=0)
