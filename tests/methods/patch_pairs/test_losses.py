"""Losses of pairs of patches."""

from __future__ import annotations

import math

import pytest
import torch

from iic.methods.patch_pairs.co_occurrence import co_occurrence_losses
from iic.methods.patch_pairs.masked_mean import masked_mean
from iic.methods.patch_pairs.relative_position import relative_position_losses


def test_cross_entropy_of_directions() -> None:
    outputs = torch.randn(20, 9, generator=torch.Generator().manual_seed(0)).double()
    target = torch.arange(20) % 9
    known = -outputs.softmax(dim=1)[torch.arange(20), target].log()
    torch.testing.assert_close(relative_position_losses(outputs, target), known.float())
    blank = relative_position_losses(torch.zeros(2, 9), torch.tensor([0, 8]))
    assert blank.tolist() == pytest.approx([math.log(9)] * 2)


def test_binary_cross_entropy_of_neighbours() -> None:
    outputs = torch.randn(20, 1, generator=torch.Generator().manual_seed(0)).double()
    target = torch.arange(20) % 2
    p = outputs[:, 0].sigmoid()
    known = -torch.where(target == 1, p, 1 - p).log()
    torch.testing.assert_close(co_occurrence_losses(outputs, target), known.float())
    # where the sigmoid is 0 or 1 to the last bit there is still a gradient
    sure = torch.full((2, 1), 300.0, requires_grad=True)
    losses = co_occurrence_losses(sure, torch.tensor([0, 1]))
    assert losses.tolist() == pytest.approx([300, 0])
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None and sure.grad[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("loss", [relative_position_losses, co_occurrence_losses])
def test_losses_are_float32_whatever_the_outputs(loss: object) -> None:
    outputs = torch.zeros(3, 9, dtype=torch.bfloat16)
    assert callable(loss)
    assert loss(outputs, torch.ones(3, dtype=torch.int64)).dtype == torch.float32


def test_the_mean_is_over_those_that_count() -> None:
    losses = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    assert float(masked_mean(losses, torch.tensor([True, False, True])).detach()) == 2.5
    nothing = masked_mean(losses, torch.zeros(3, dtype=torch.bool))
    nothing.backward()  # type: ignore[no-untyped-call]
    assert float(nothing.detach()) == 0 and losses.grad is not None and not losses.grad.any()
