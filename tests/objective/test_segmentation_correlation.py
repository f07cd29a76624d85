from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iic.objective.correlation import shifted_joints
from tests.objective.segmentation_oracles import blobs, map_probabilities, plain_joints


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 2),
    k=st.integers(1, 3),
    short=st.integers(1, 5),
    long=st.integers(1, 30),
    upright=st.booleans(),
    half_side=st.integers(0, 3),
)
def test_equals_the_plain_loops(
    seed: int, n: int, k: int, short: int, long: int, upright: bool, half_side: int
) -> None:
    # a long side takes several blocks
    height, width = (long, short) if upright else (short, long)
    z = map_probabilities(seed, n, 2, k, height, width)
    z_transformed = map_probabilities(seed + 1, n, 2, k, height, width)
    P = shifted_joints(z, z_transformed, half_side)
    side = 2 * half_side + 1
    assert P.shape == (2, side, side, k, k) and P.dtype == torch.float64
    for head in range(2):
        expected = torch.from_numpy(plain_joints(z[:, head], z_transformed[:, head], half_side))
        torch.testing.assert_close(P[head], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("half_side", [1, 5, 10])
@pytest.mark.parametrize("side", [40, 61])
def test_one_pixel_meets_one_other_at_their_displacement_only(side: int, half_side: int) -> None:
    z, z_transformed = torch.zeros(2, 1, 1, 2, side, side, dtype=torch.float64)
    # near the far corner: in another block than the first
    y, x, dy, dx = side - 2, side - 1, -half_side, 1 - half_side
    z[0, 0, 1, y + dy, x + dx] = 2.0
    z_transformed[0, 0, 0, y, x] = 3.0
    expected = torch.zeros(2 * half_side + 1, 2 * half_side + 1, 2, 2, dtype=torch.float64)
    expected[half_side + dy, half_side + dx, 1, 0] = 6.0
    P = shifted_joints(z, z_transformed, half_side)
    torch.testing.assert_close(P[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("height", "width", "half_side"), [(3, 4, 1), (4, 3, 0), (2, 14, 2), (17, 2, 3)]
)
def test_gradients_are_those_of_finite_differences(height: int, width: int, half_side: int) -> None:
    maps = torch.randn(2, 2, 1, 2, height, width, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: shifted_joints(x[0], x[1], half_side), (maps,))


def test_second_derivatives_are_refused_and_not_wrong() -> None:
    z = map_probabilities(0, 1, 1, 2, 6, 6).requires_grad_()
    (gradient,) = torch.autograd.grad(shifted_joints(z, z, 1).square().sum(), z, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


def test_the_error_of_an_entry_is_below_the_precision_times_its_bound() -> None:
    z, z_transformed = (blobs(seed, 2, 6, 64, 8.0) for seed in (0, 1))
    # a cluster that has all but died keeps its digits, since its own maps are small too
    z[:, :, 0] *= 1e-12
    P = shifted_joints(z.float(), z_transformed.float(), 5)[0].double()
    exact = shifted_joints(z.float().double(), z_transformed.float().double(), 5)[0]
    norms = [maps.double().square().sum((0, 1, 3, 4)).sqrt() for maps in (z, z_transformed)]
    assert ((P - exact).abs() / torch.outer(*norms)).max() < 2e-6


def test_repeats_to_the_last_bit_on_the_cpu() -> None:
    maps = torch.rand(2, 3, 1, 4, 40, 40, requires_grad=True)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            P = shifted_joints(maps[0], maps[1], 5)
            runs.append((P, torch.autograd.grad(P.square().sum(), maps)[0]))
    finally:
        torch.use_deterministic_algorithms(before)
    assert torch.equal(runs[0][0], runs[1][0]) and torch.equal(runs[0][1], runs[1][1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_the_same() -> None:
    maps = torch.rand(2, 3, 1, 15, 70, 90, requires_grad=True)
    on_gpu = maps.detach().cuda().requires_grad_()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        found = shifted_joints(on_gpu[0], on_gpu[1], 10)
    expected = shifted_joints(maps[0], maps[1], 10)
    weight = torch.rand(expected.shape)
    (expected * weight).sum().backward()
    (found * weight.cuda()).sum().backward()
    assert on_gpu.grad is not None
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-2)
    torch.testing.assert_close(on_gpu.grad.cpu(), maps.grad, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(
    ("z", "z_transformed"),
    [
        ((2, 1, 3, 5, 5), (4, 1, 3, 5, 5)),
        ((2, 3, 5, 5), (2, 3, 5, 5)),
        ((0, 1, 3, 5, 5), (0, 1, 3, 5, 5)),
    ],
)
def test_wrong_shapes_are_refused(z: tuple[int, ...], z_transformed: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sum over the repeats first"):
        shifted_joints(torch.rand(z), torch.rand(z_transformed), 1)


def test_a_negative_half_side_is_refused() -> None:
    z = torch.rand(1, 1, 2, 5, 5)
    with pytest.raises(ValueError, match="half_side -1 is negative"):
        shifted_joints(z, z, -1)
