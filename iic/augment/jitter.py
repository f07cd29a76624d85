"""Jitter of brightness, contrast, saturation and hue, in an order drawn for each image.

Brightness, contrast and saturation are all ``clamp(f image + (1 - f) other)`` with `other` black,
the mean of the grey image, or the grey image itself. So one step of the random order is one
operation for the whole batch, whatever each image does in it. Hue is dear, and would be wanted by
some images in each of the four steps; instead the steps before it run for all (as f = 1, which
changes nothing, in images that have passed their hue), then hue once for all, then the steps after.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment.batch import Rows, per_image, uniform
from iic.augment.greyscale import greyscale

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


@dataclass(frozen=True)
class Jitters(Rows):
    """Strengths and order of the four operations for each image."""

    factors: Tensor
    """Factors of brightness, contrast and saturation, and 1 in hue's place: (N, 4)."""
    hue: Tensor | None
    """Turn of the hue in full circles, (N,); None where hue is switched off."""
    order: Tensor
    """The operations as they follow each other: a permutation of 0 ... 3 in each row, (N, 4)."""


def draw(
    count: int,
    generator: torch.Generator,
    *,
    brightness: float,
    contrast: float,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Jitters:
    """Jitter of `count` images.

    Args:
        count: Number of images.
        generator: Source of the random numbers.
        brightness: Factor is uniform between 1 - this and 1 + this; likewise the next two.
        contrast: As `brightness`.
        saturation: As `brightness`; without effect on grey images.
        hue: Turn is uniform between minus and plus this; without effect on grey images.
    """
    strengths = (brightness, contrast, saturation)
    factors = [uniform(count, 1 - strength, 1 + strength, generator) for strength in strengths]
    factors.append(torch.ones(count, device=generator.device))
    turn = uniform(count, -hue, hue, generator) if hue else None
    ranks = torch.rand(count, 4, generator=generator, device=generator.device)
    return Jitters(torch.stack(factors, 1), turn, ranks.argsort(dim=1, stable=True))


def apply(images: Tensor, jitters: Jitters) -> Tensor:
    """Jitter each image.

    Args:
        images: float in [0, 1], (N, 1, H, W) or (N, 3, H, W).
        jitters: Operations of each image.

    Returns:
        Same shape, in [0, 1].
    """
    order = jitters.order
    factors = jitters.factors.gather(1, order)
    if images.shape[1] == 1:
        return _apply_grey(images, factors, order)
    if jitters.hue is None:
        for step in range(4):
            images = _blend(images, factors[:, step], order[:, step])
        return images
    hue_step = (order == HUE).long().argmax(1)
    for step in range(3):
        images = _blend(images, factors[:, step].where(hue_step > step, 1), order[:, step])
    images = shift_hue(images, jitters.hue)
    for step in range(1, 4):
        images = _blend(images, factors[:, step].where(hue_step < step, 1), order[:, step])
    return images


def _apply_grey(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """The two operations that act on a grey image: each step multiplies and adds a number."""
    acts = (order == BRIGHTNESS) | (order == CONTRAST)
    steps = acts.long().argsort(dim=1, descending=True, stable=True)[:, :2]
    factors, order = factors.gather(1, steps), order.gather(1, steps)
    for step in range(2):
        factor = factors[:, step]
        rest = (1 - factor) * (order[:, step] == CONTRAST)
        added = images.mean((1, 2, 3)).mul_(rest)
        images = torch.addcmul(per_image(added), images, per_image(factor)).clamp_(0, 1)
    return images


def _blend(images: Tensor, factor: Tensor, operation: Tensor) -> Tensor:
    """One step of the order, (N,) factors and (N,) operations; hue's turn changes nothing here."""
    grey = greyscale(images)
    rest = 1 - factor
    mean = grey.mean((1, 2, 3)).mul_(rest * (operation == CONTRAST))
    other = torch.addcmul(per_image(mean), grey, per_image(rest * (operation == SATURATION)))
    return torch.addcmul(other, images, per_image(factor)).clamp_(0, 1)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue and keep saturation and value of the HSV model.

    Args:
        images: float RGB in [0, 1], (N, 3, H, W).
        turns: Full circles, (N,).

    Returns:
        Same shape, in [0, 1].
    """
    red, green, blue = images.unbind(1)
    low, high = images.amin(1), images.amax(1)
    spread = high - low
    # where all channels are equal the hue is undefined, and without effect since spread is 0; the
    # reciprocal of a subnormal spread would be infinite
    share = spread.where(spread >= torch.finfo(spread.dtype).tiny, 1).reciprocal_()
    sextant = torch.where(
        red == high,
        (green - blue) * share,
        torch.where(green == high, (blue - red) * share + 2, (red - green) * share + 4),
    )
    sextant = sextant.add_(6 * turns.view(-1, 1, 1)).remainder_(6)
    # how far each channel stands between low and high, by the hue alone
    red = (sextant - 3).abs_().sub_(1)
    green = (sextant - 2).abs_().neg_().add_(2)
    blue = (sextant - 4).abs_().neg_().add_(2)
    height = torch.stack([red, green, blue], dim=1).clamp_(0, 1)
    return torch.addcmul(low[:, None], height, spread[:, None]).clamp_(0, 1)
