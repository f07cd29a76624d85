"""The losses of IMC-SwAV against what they are said to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import normalize, softmax

from iic.methods.imc_swav.loss import codes, information_loss, logit_penalty, swap_loss


def cosines(images: int, prototypes: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    points = normalize(torch.randn(images, 16, generator=draw), dim=1)
    return points @ normalize(torch.randn(prototypes, 16, generator=draw), dim=1).T


def released_codes(scores: torch.Tensor, epsilon: float, iterations: int) -> torch.Tensor:
    """The released code's form, by its description: column masses of -1/B, float64."""
    plan = torch.exp(scores.double() / epsilon).T
    plan = plan / plan.sum()
    for _ in range(iterations):
        plan = plan * (1 / plan.shape[0] / plan.sum(1))[:, None]
        plan = plan * (-1 / plan.shape[1] / plan.sum(0))[None]
    return (plan / plan.sum(0, keepdim=True)).T


@pytest.mark.parametrize(("images", "prototypes"), [(64, 20), (10, 300)])
@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_codes_are_those_of_the_form_with_a_turning_sign(
    images: int, prototypes: int, iterations: int
) -> None:
    scores = cosines(images, prototypes)
    expected = released_codes(scores, 0.05, iterations)
    torch.testing.assert_close(
        codes(scores, 0.05, iterations).double(), expected, atol=1e-6, rtol=1e-4
    )
    # one iteration more or less would be seen
    other = released_codes(scores, 0.05, iterations + 1)
    assert (expected - other).abs().max() > 1e-4


def test_codes_have_the_marginals_of_sinkhorn() -> None:
    scores = cosines(256, 40)
    plan = codes(scores, 0.05, 3)
    torch.testing.assert_close(plan.sum(1), torch.ones(256))
    for iterations, worst in ((3, 0.5), (60, 1e-2)):
        used = codes(scores, 0.05, iterations).sum(0) / 256 * 40
        assert float((used - 1).abs().max()) < worst
    before = softmax(scores / 0.05, dim=1).sum(0) / 256 * 40
    assert float((before - 1).abs().max()) > 0.6


def test_codes_without_gradient_and_for_extreme_scores() -> None:
    scores = cosines(8, 6).requires_grad_()
    assert not codes(scores, 0.05, 3).requires_grad
    extreme = torch.tensor([[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]])
    assert bool(codes(extreme, 1e-3, 3).isfinite().all())


def test_the_swap_by_hand() -> None:
    scores = [cosines(12, 5, seed) for seed in range(4)]
    terms = [
        -(codes(scores[i], 0.05, 3) * softmax(scores[t] / 0.1, dim=1).log()).sum() / 12
        for i in (0, 1)
        for t in range(4)
        if t != i
    ]
    assert len(terms) == 6
    loss = swap_loss(scores, 2, temperature=0.1, epsilon=0.05, iterations=3)
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def by_loops(clusters: np.ndarray, prototypes: np.ndarray, weight: float) -> float:
    """H(Y|U) - b H(Y) of every pair of views, cell by cell, in float64."""
    values = []
    for of_clusters in clusters:
        for of_prototypes in prototypes:
            joint = np.zeros((of_clusters.shape[1], of_prototypes.shape[1]))
            for image in range(len(of_clusters)):
                for y in range(joint.shape[0]):
                    for u in range(joint.shape[1]):
                        joint[y, u] += of_clusters[image, y] * of_prototypes[image, u]
            joint /= joint.sum()
            conditional, entropy = 0.0, 0.0
            for y in range(joint.shape[0]):
                for u in range(joint.shape[1]):
                    if joint[y, u] > 0:
                        conditional -= joint[y, u] * math.log(joint[y, u] / joint[:, u].sum())
                if joint[y].sum() > 0:
                    entropy -= joint[y].sum() * math.log(joint[y].sum())
            values.append(conditional - weight * entropy)
    return float(np.mean(values))


@st.composite
def assignments(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two variables in a few views of the same images, zeros among them."""
    views, number = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    both = []
    for width in (draw(st.integers(2, 4)), draw(st.integers(2, 5))):
        masses = draw(
            arrays(np.float64, (views, number, width), elements=st.sampled_from([0, 0, 0.1, 1, 7]))
        )
        masses[..., 0] += masses.sum(axis=2) == 0
        both.append(masses / masses.sum(axis=2, keepdims=True))
    return both[0], both[1]


@settings(max_examples=150, deadline=None)
@given(both=assignments(), weight=st.sampled_from([0.0, 1.0, 4.0]))
def test_information_is_that_of_a_double_loop(
    both: tuple[np.ndarray, np.ndarray], weight: float
) -> None:
    clusters, prototypes = (torch.from_numpy(one).requires_grad_() for one in both)
    loss = information_loss(clusters, prototypes, weight)
    assert float(loss.detach()) == pytest.approx(by_loops(*both, weight), abs=1e-9)
    loss.backward()  # type: ignore[no-untyped-call]
    assert clusters.grad is not None and bool(clusters.grad.isfinite().all())


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_both_limits_of_the_information(weight: float) -> None:
    k = 10
    certain = torch.eye(k).repeat(30, 1)[None]
    prototypes = certain.repeat_interleave(5, dim=2) / 5
    least = information_loss(certain, prototypes, weight)
    assert float(least) == pytest.approx(-weight * math.log(k), abs=1e-4)
    uniform = torch.full((1, 300, k), 1 / k)
    independent = information_loss(uniform, prototypes, weight)
    assert float(independent) == pytest.approx(-(weight - 1) * math.log(k), abs=1e-4)


def test_penalty_by_hand() -> None:
    logits = torch.tensor([[[6.0, -8.0], [1.0, 5.0]], [[0.0, 0.0], [-5.5, 0.0]]])
    assert float(logit_penalty(logits, 5.0)) == pytest.approx((1 + 3 + 0.5) / 4)
