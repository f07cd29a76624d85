"""Associations against plain loops over walks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iic.methods.adc.loss import LEAST, association, length_penalty


def cloud(seed: int, count: int, length: int = 3) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, length, generator=draw, dtype=torch.float64)


def plain(points: Tensor, others: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Walker and visit, one walk after another."""
    n, m = len(points), len(others)
    weights = [[(points[i] @ others[j]).exp() for j in range(m)] for i in range(n)]
    there = [[weights[i][j] / sum(weights[i]) for j in range(m)] for i in range(n)]
    back = [
        [weights[i][j] / sum(weights[other][j] for other in range(n)) for i in range(n)]
        for j in range(m)
    ]
    walker, visit = torch.zeros(()).double(), torch.zeros(()).double()
    for i in range(n):
        own = [end for end in range(n) if groups[end] == groups[i]]
        for end in own:
            chance = sum((there[i][j] * back[j][end] for j in range(m)), torch.zeros(()).double())
            # of all ends together, to which the least is added too
            walker = walker - ((chance + LEAST) / (1 + n * LEAST)).log() / len(own) / n
    for j in range(m):
        visited = torch.stack([there[i][j] for i in range(n)]).mean()
        visit = visit - ((visited + LEAST) / (1 + m * LEAST)).log() / m
    return walker, visit


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(2, 6), m=st.integers(1, 6))
def test_losses_and_gradients_are_those_of_the_walks(seed: int, n: int, m: int) -> None:
    groups = torch.arange(n) // 2
    found = []
    for function in (association, plain):
        points, others = cloud(seed, n).requires_grad_(), cloud(seed + 1, m).requires_grad_()
        walker, visit = function(points, others, groups)
        (walker + 0.5 * visit).backward()  # type: ignore[no-untyped-call]
        found.append((walker.detach(), visit.detach(), points.grad, others.grad))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-10)


def test_the_least_losses() -> None:
    """Walks that end in their own group, at any of its points alike, and visit all alike."""
    axes = 20 * torch.eye(3).double()
    found = association(axes.repeat_interleave(4, dim=0), axes, torch.arange(12) // 4)
    assert float(found.walker) == pytest.approx(math.log(4))
    assert float(found.visit) == pytest.approx(math.log(3))
    mixed = association(axes.repeat(4, 1), axes, torch.arange(12) // 4)
    assert float(mixed.walker) > math.log(4) + 1
    alone = association(axes.repeat_interleave(4, dim=0), axes[:2], torch.arange(12) // 4)
    uneven = association(axes[:1].repeat(4, 1), axes, torch.zeros(4))
    assert float(uneven.visit) > math.log(3) + 1
    assert bool(torch.stack([*alone, *uneven]).isfinite().all())


def test_length_penalty_by_hand() -> None:
    points = torch.tensor([[3.0, 4.0], [0.6, 0.8]])
    assert float(length_penalty(points, 1.0)) == pytest.approx(16)
