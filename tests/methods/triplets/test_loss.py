"""The loss of Triplets against loops, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div, log_softmax, softmax

from iic.methods.triplets.loss import triplet_loss


def outputs(seed: int = 0, scale: float = 2.0) -> list[torch.Tensor]:
    """Anchor, positive and negative, (7, 5)."""
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(7, 5, generator=draw, dtype=torch.float64) * scale for _ in range(3)]


def by_hand(triplet: list[torch.Tensor], margin: float | None) -> float:
    """The definition, number by number."""
    anchor, positive, negative = (
        [[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in one.tolist()]
        for one in triplet
    )
    total = 0.0
    for a, p, n in zip(anchor, positive, negative, strict=True):
        difference = 0.0
        for x, y, z in zip(a, p, n, strict=True):
            difference += y * math.log(y / x) - z * math.log(z / x)
        total += difference if margin is None else max(0.0, difference + margin)
    return total / (len(anchor) * len(anchor[0]))


@pytest.mark.parametrize("margin", [None, 0.5, 4.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_definition(seed: int, margin: float | None) -> None:
    triplet = outputs(seed)
    assert float(triplet_loss(*triplet, margin)) == pytest.approx(by_hand(triplet, margin))


def test_it_is_the_difference_of_torchs_divergences() -> None:
    anchor, positive, negative = outputs()
    kl = [
        kl_div(log_softmax(anchor, 1), softmax(one, 1), reduction="none").mean()
        for one in (positive, negative)
    ]
    torch.testing.assert_close(triplet_loss(anchor, positive, negative), kl[0] - kl[1])


def test_all_three_get_the_gradient_of_the_definition() -> None:
    triplet = [one.requires_grad_() for one in outputs()]
    for margin in (None, 3.0):
        assert torch.autograd.gradcheck(
            lambda *three, margin=margin: triplet_loss(*three, margin), triplet
        )


def test_there_is_no_lower_bound_without_a_margin_and_zero_with_one() -> None:
    anchor = torch.tensor([[30.0, 0.0]])
    negative = -anchor
    losses = [float(triplet_loss(anchor * one, anchor * one, negative * one)) for one in (1, 10)]
    assert losses[1] < 9 * losses[0] < 0
    assert triplet_loss(anchor, anchor, negative, margin=5.0) == 0
    assert triplet_loss(anchor, anchor, anchor, margin=5.0) == 2.5


def test_large_outputs_and_half_precision_stay_finite() -> None:
    anchor, positive, negative = (one.bfloat16() for one in outputs(scale=1e4))
    loss = triplet_loss(anchor, positive, negative)
    assert loss.dtype == torch.float32 and np.isfinite(float(loss))
