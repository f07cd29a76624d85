"""Pairs and their losses against a plain double loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iic.methods.dac.loss import (
    own_entropy,
    pair_entropy,
    pair_labels,
    pair_square,
    similarities,
)

SEEDS = st.integers(0, 2**32 - 1)


def outputs(seed: int, count: int = 7, k: int = 4) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(count, k, generator=draw, dtype=torch.float64)).softmax(dim=1)


def plain(rows: Tensor, upper: float, lower: float, square: bool = False) -> Tensor:
    """The published sum, pair by pair."""
    total = torch.zeros((), dtype=rows.dtype)
    for first in rows:
        for second in rows:
            cosine = (first @ second) / first.norm() / second.norm()
            if cosine >= upper:
                total = total + ((cosine - 1) ** 2 if square else -cosine.log())
            elif cosine < lower:
                total = total + (cosine**2 if square else -(1 - cosine).log())
    return total / len(rows) ** 2


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, upper=st.floats(0.5, 0.99), gap=st.floats(0, 0.5))
def test_losses_and_gradients_are_those_of_the_double_loop(
    seed: int, upper: float, gap: float
) -> None:
    for error, square in ((pair_entropy, False), (pair_square, True)):
        gradients = []
        for loop in (False, True):
            rows = outputs(seed).requires_grad_()
            if loop:
                loss = plain(rows, upper, upper - gap, square)
            else:
                values = similarities(rows)
                loss = error(values, pair_labels(values.detach(), upper, upper - gap))
            loss.backward()  # type: ignore[no-untyped-call]
            assert rows.grad is not None
            gradients.append((float(loss.detach()), rows.grad))
        assert gradients[0][0] == pytest.approx(gradients[1][0], abs=1e-9)
        torch.testing.assert_close(gradients[0][1], gradients[1][1], atol=1e-8, rtol=1e-6)


def test_pairs_between_the_thresholds_have_neither_label_nor_gradient() -> None:
    values = torch.tensor([[1.0, 0.7, 0.3]], requires_grad=True)
    labels = pair_labels(values.detach(), 0.7, 0.3)
    assert labels.alike.tolist() == [[True, True, False]] and not labels.unlike.any()
    between = pair_labels(values.detach(), 0.8, 0.31)
    pair_entropy(values, between).backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad[0].tolist() == pytest.approx([-1 / 3, 0, 1 / 0.7 / 3])


def test_one_threshold_labels_every_pair() -> None:
    values = similarities(outputs(0))
    labels = pair_labels(values, 0.6, 0.6)
    assert (labels.alike ^ labels.unlike).all() and labels.alike.any() and labels.unlike.any()


def test_the_logarithm_ends_where_it_is_bounded() -> None:
    """Also where the wrong label meets a similarity of exactly 0 or 1."""
    values = torch.tensor([[1.0, 0.0]], requires_grad=True)
    labels = pair_labels(torch.tensor([[0.0, 1.0]]), 0.5, 0.5)
    loss = pair_entropy(values, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(-math.log(1e-7), rel=1e-3)
    assert values.grad is not None and bool(values.grad.isfinite().all())


def test_own_entropy_by_hand() -> None:
    found = own_entropy(torch.tensor([[0.8, 0.5]]), torch.tensor([[0.9, 0.0]]))
    wanted = -(0.9 * math.log(0.8) + 0.1 * math.log(0.2) + math.log(0.5)) / 2
    assert float(found) == pytest.approx(wanted)
