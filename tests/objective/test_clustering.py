from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iic.objective.clustering import EPS, clustering_loss, joint, mutual_information


def probabilities(seed: int, *shape: int, sharpness: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits.softmax(dim=-1)


def plain_loss(z: Tensor, z_transformed: Tensor, lam: float) -> float:
    """Equations 2 and 3 over explicit pairs (n, k), in Python floats."""
    n, k = z.shape
    P = [[0.0] * k for _ in range(k)]
    for i in range(n):
        for a in range(k):
            for b in range(k):
                forward = float(z[i, a]) * float(z_transformed[i, b])
                backward = float(z[i, b]) * float(z_transformed[i, a])
                P[a][b] += (forward + backward) / (2 * n)
    row = [sum(P[a]) for a in range(k)]
    column = [sum(P[a][b] for a in range(k)) for b in range(k)]
    information = 0.0
    for a in range(k):
        for b in range(k):
            if P[a][b] > 0:
                information += P[a][b] * (
                    math.log(P[a][b]) - lam * math.log(row[a]) - lam * math.log(column[b])
                )
    return -information


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 6),
    heads=st.integers(1, 3),
    k=st.integers(2, 5),
    lam=st.floats(1.0, 3.0),
    sharpness=st.floats(0.0, 20.0),
)
def test_equals_the_plain_double_loop(
    seed: int, n: int, heads: int, k: int, lam: float, sharpness: float
) -> None:
    z = probabilities(seed, n, heads, k, sharpness=sharpness)
    z_transformed = probabilities(seed + 1, n, heads, k, sharpness=sharpness)
    loss = clustering_loss(z, z_transformed, lam)
    assert loss.shape == (heads,) and loss.dtype == torch.float64
    for head in range(heads):
        expected = plain_loss(z[:, head], z_transformed[:, head], lam)
        assert loss[head].item() == pytest.approx(expected, abs=1e-10)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), k=st.integers(2, 20), sharpness=st.floats(0.0, 10.0))
def test_nothing_is_shared_when_all_rows_are_one_distribution(
    seed: int, k: int, sharpness: float
) -> None:
    z = probabilities(seed, 1, 1, k, sharpness=sharpness).expand(7, 2, k)
    assert clustering_loss(z, 3 * z).abs().max() < 1e-10
    assert clustering_loss(z.float(), 3 * z.float()).abs().max() < 1e-5


@pytest.mark.parametrize("k", [2, 3, 10, 70])
@pytest.mark.parametrize("lam", [1.0, 1.5])
def test_perfect_balanced_clusters_reach_the_bound(k: int, lam: float) -> None:
    z = torch.eye(k).repeat(3, 1).unsqueeze(1)
    bound = -(2 * lam - 1) * math.log(k)
    assert clustering_loss(z, z, lam).item() == pytest.approx(bound, abs=1e-5)
    assert clustering_loss(z.double(), z.double(), lam).item() == pytest.approx(bound, abs=1e-10)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 40),
    k=st.integers(2, 12),
    lam=st.floats(1.0, 4.0),
    sharpness=st.floats(0.0, 100.0),
)
def test_bounds(seed: int, n: int, k: int, lam: float, sharpness: float) -> None:
    z = probabilities(seed, n, 2, k, sharpness=sharpness)
    for partner in (z, probabilities(seed + 1, n, 2, k, sharpness=sharpness)):
        assert (clustering_loss(z, partner, lam) >= -(2 * lam - 1) * math.log(k) - 1e-9).all()
        assert (clustering_loss(z, partner, 1.0) <= 1e-9).all()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), lam=st.floats(1.0, 2.0))
def test_symmetric_in_its_arguments(seed: int, lam: float) -> None:
    z, z_transformed = probabilities(seed, 9, 2, 4), probabilities(seed + 1, 9, 2, 4)
    P, swapped = joint(z, z_transformed), joint(z_transformed, z)
    torch.testing.assert_close(P, swapped, rtol=0, atol=1e-15)
    torch.testing.assert_close(P, P.mT, rtol=0, atol=0)
    torch.testing.assert_close(P.sum(dim=(1, 2)), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(
        clustering_loss(z, z_transformed, lam), clustering_loss(z_transformed, z, lam)
    )


@pytest.mark.parametrize("lam", [1.0, 1.5])
@pytest.mark.parametrize("repeats", [1, 3, 5])
def test_summed_repeats_equal_explicit_repeats(repeats: int, lam: float) -> None:
    U, H, k = 11, 3, 4
    logits = probabilities(1, U, H, k).log().requires_grad_()
    transformed = probabilities(2, repeats, U, H, k, sharpness=3.0).log().requires_grad_()

    def gradients(loss: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss.mean(), (logits, transformed), retain_graph=True)

    z, versions = logits.softmax(-1), transformed.softmax(-1)
    short = clustering_loss(z, versions.sum(0), lam)
    explicit = clustering_loss(z.repeat(repeats, 1, 1), versions.flatten(0, 1), lam)
    torch.testing.assert_close(short, explicit, rtol=0, atol=1e-13)
    for ours, expected in zip(gradients(short), gradients(explicit), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-14)


def test_gradients_are_those_of_finite_differences() -> None:
    logits = probabilities(5, 2, 5, 2, 3).log().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: clustering_loss(x[0].softmax(-1), x[1].softmax(-1), 1.5), (logits,)
    )


def one_hot(k: int) -> Tensor:
    return torch.eye(k)[torch.arange(12) % k].unsqueeze(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("lam", [1.0, 1.5])
@pytest.mark.parametrize(
    "z",
    [
        pytest.param(one_hot(4), id="one-hot"),
        pytest.param(torch.full((12, 1, 4), 0.25), id="uniform"),
        pytest.param(torch.eye(4)[torch.zeros(12, dtype=torch.long)].unsqueeze(1), id="collapsed"),
    ],
)
def test_gradients_are_finite(z: Tensor, lam: float, dtype: torch.dtype) -> None:
    z = z.to(dtype).detach().clone().requires_grad_()
    z_transformed = z.detach().clone().requires_grad_()
    loss = clustering_loss(z, z_transformed, lam)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    for leaf in (z, z_transformed):
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("scale", [0.0, 50.0, 1e4])
def test_gradients_are_finite_through_saturated_softmax(scale: float) -> None:
    logits = (scale * torch.eye(5)[torch.arange(20) % 5]).unsqueeze(1).requires_grad_()
    clustering_loss(logits.softmax(-1), logits.softmax(-1)).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_autocast_does_not_touch_the_objective() -> None:
    z, z_transformed = (probabilities(s, 50, 3, 10, sharpness=3).float() for s in (0, 1))
    expected = clustering_loss(z, z_transformed, 1.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = clustering_loss(z, z_transformed, 1.5)
        by_parts = -mutual_information(joint(z, z_transformed), 1.5)
        assert (z @ z.mT).dtype == torch.bfloat16, "autocast is not on: the test proves nothing"
        # low-precision probabilities are taken up in float32
        rounded = clustering_loss(z.bfloat16(), z_transformed.bfloat16(), 1.5)
    assert inside.dtype == by_parts.dtype == rounded.dtype == torch.float32
    assert torch.equal(inside, expected) and torch.equal(by_parts, expected)
    torch.testing.assert_close(
        rounded, clustering_loss(z.bfloat16().float(), z_transformed.bfloat16().float(), 1.5)
    )


def test_lambda_weighs_the_entropies_of_the_marginals() -> None:
    P = joint(probabilities(3, 20, 2, 5), probabilities(4, 20, 2, 5))
    marginal = P.sum(1)
    entropy = -(marginal * marginal.log()).sum(1)
    expected = mutual_information(P) + 0.7 * 2 * entropy
    torch.testing.assert_close(mutual_information(P, 1.7), expected)


def test_floor_is_far_below_any_probability_that_matters() -> None:
    assert torch.finfo(torch.float64).eps == EPS


@pytest.mark.parametrize(
    ("z", "z_transformed"), [((6, 2, 4), (12, 2, 4)), ((6, 4), (6, 4)), ((0, 2, 4), (0, 2, 4))]
)
def test_wrong_shapes_are_refused(z: tuple[int, ...], z_transformed: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sum over the repeats first"):
        clustering_loss(torch.rand(z), torch.rand(z_transformed))
