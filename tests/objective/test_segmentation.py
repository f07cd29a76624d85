from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iic.objective.clustering import clustering_loss
from iic.objective.segmentation import segmentation_loss, sparse_shift, unflip
from tests.objective.segmentation_oracles import (
    blobs,
    map_probabilities,
    plain_loss,
    released_loss,
)

Expectation = Literal["outside", "inside"]
EXPECTATIONS: tuple[Expectation, ...] = ("outside", "inside")


def random_mask(seed: int, n: int, height: int, width: int, share: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, height, width, generator=generator) < share


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 2),
    k=st.integers(2, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    half_side=st.integers(0, 3),
    lam=st.floats(1.0, 2.0),
    share=st.floats(0.0, 1.0),
    expectation=st.sampled_from(EXPECTATIONS),
)
def test_equals_the_plain_loops(
    seed: int,
    n: int,
    k: int,
    height: int,
    width: int,
    half_side: int,
    lam: float,
    share: float,
    expectation: Expectation,
) -> None:
    z = map_probabilities(seed, n, 2, k, height, width, sharpness=3.0)
    z_transformed = map_probabilities(seed + 1, n, 2, k, height, width, sharpness=3.0)
    mask = random_mask(seed, n, height, width, share)
    loss = segmentation_loss(z, z_transformed, mask, half_side, lam, expectation)
    assert loss.shape == (2,) and loss.dtype == torch.float64
    for head in range(2):
        maps = z[:, head], z_transformed[:, head]
        expected = plain_loss(*maps, mask, half_side, lam, expectation)
        assert loss[head].item() == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("expectation", EXPECTATIONS)
@pytest.mark.parametrize(("lam", "share"), [(1.0, 1.0), (1.5, 0.6)])
@pytest.mark.parametrize(
    ("n", "k", "height", "width", "half_side"),
    [
        pytest.param(3, 4, 24, 24, 2, id="square"),
        pytest.param(2, 3, 33, 17, 3, id="odd, oblong, several blocks"),
        pytest.param(1, 5, 9, 14, 0, id="no shift"),
        pytest.param(2, 7, 11, 11, 5, id="smaller than a window"),
    ],
)
def test_equals_the_released_form(
    n: int,
    k: int,
    height: int,
    width: int,
    half_side: int,
    lam: float,
    share: float,
    expectation: Expectation,
) -> None:
    # neighbours and versions of an image agree to some degree
    cells = torch.arange(height)[:, None] // 3 + torch.arange(width) // 3
    common = 2.0 * torch.nn.functional.one_hot(cells % k, k).permute(2, 0, 1)
    logits, other = (
        (common + map_probabilities(seed, n, 1, k, height, width).log()).requires_grad_()
        for seed in (1, 2)
    )
    mask = random_mask(3, n, height, width, share)
    maps = logits.softmax(2), other.softmax(2)
    ours = segmentation_loss(*maps, mask, half_side, lam, expectation)
    theirs = released_loss(maps[0][:, 0], maps[1][:, 0], mask, half_side, lam, expectation)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-12)
    found = torch.autograd.grad(ours.sum(), (logits, other), retain_graph=True)
    expected = torch.autograd.grad(theirs, (logits, other))
    for gradient, right in zip(found, expected, strict=True):
        assert right.abs().max() > 1e-6
        torch.testing.assert_close(gradient, right, rtol=0, atol=1e-12 * right.abs().max().item())


def test_gradients_are_those_of_finite_differences() -> None:
    logits = map_probabilities(5, 2, 2, 2, 5, 4).log().requires_grad_()
    other = map_probabilities(6, 2, 2, 2, 5, 4).log().requires_grad_()
    mask = random_mask(7, 2, 5, 4, 0.8)
    for expectation in EXPECTATIONS:
        assert torch.autograd.gradcheck(
            lambda x, y, how=expectation: segmentation_loss(
                x.softmax(2), y.softmax(2), mask, 1, 1.5, how
            ),
            (logits, other),
        )


def test_without_shifts_every_pixel_is_an_image_of_its_own() -> None:
    z, z_transformed = (map_probabilities(seed, 3, 2, 4, 6, 5, sharpness=2) for seed in (0, 1))
    mask = random_mask(2, 3, 6, 5, 0.5)
    loss = segmentation_loss(z, z_transformed, mask, 0, 1.5)
    pixels = [one.permute(0, 3, 4, 1, 2)[mask] for one in (z, z_transformed)]
    torch.testing.assert_close(loss, clustering_loss(*pixels, lam=1.5), rtol=0, atol=1e-12)


@pytest.mark.parametrize("expectation", EXPECTATIONS)
def test_summed_repeats_equal_explicit_repeats(expectation: Expectation) -> None:
    z = map_probabilities(0, 2, 1, 3, 9, 8)
    versions = torch.stack([map_probabilities(seed, 2, 1, 3, 9, 8) for seed in (1, 2, 3)])
    mask = random_mask(4, 2, 9, 8, 0.7)
    short = segmentation_loss(z, versions.sum(0), mask, 2, 1.2, expectation)
    explicit = segmentation_loss(
        z.repeat(3, 1, 1, 1, 1), versions.flatten(0, 1), mask.repeat(3, 1, 1), 2, 1.2, expectation
    )
    torch.testing.assert_close(short, explicit, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lam", [1.0, 1.5])
def test_balanced_constant_images_reach_the_bound(lam: float) -> None:
    k, d = 3, 2
    # each image is of one cluster throughout, so that all neighbours agree
    z = torch.eye(k).reshape(k, 1, k, 1, 1).expand(k, 1, k, 8, 8)
    bound = -(2 * lam - 1) * math.log(k)
    for expectation in EXPECTATIONS:
        loss = segmentation_loss(z, z, None, d, lam, expectation)
        assert loss.item() == pytest.approx(bound, abs=1e-5)
        noise = map_probabilities(1, k, 1, k, 8, 8, sharpness=10)
        assert segmentation_loss(z.double(), noise, None, d, lam, expectation).item() > bound


def test_symmetric_in_its_arguments() -> None:
    z, z_transformed = (map_probabilities(seed, 2, 2, 4, 9, 7, sharpness=2) for seed in (0, 1))
    for expectation in EXPECTATIONS:
        torch.testing.assert_close(
            segmentation_loss(z, z_transformed, None, 2, 1.5, expectation),
            segmentation_loss(z_transformed, z, None, 2, 1.5, expectation),
        )


def test_pixels_outside_of_the_mask_do_not_matter() -> None:
    z, z_transformed = (map_probabilities(seed, 2, 1, 3, 12, 12, sharpness=2) for seed in (0, 1))
    mask = random_mask(2, 2, 12, 12, 0.5)
    disturbed = [
        torch.where(mask[:, None, None], maps, maps.flip(2)).requires_grad_()
        for maps in (z, z_transformed)
    ]
    expected = segmentation_loss(z, z_transformed, mask, 2)
    assert segmentation_loss(*disturbed, None, 2).sub(expected).abs() > 1e-4
    loss = segmentation_loss(*disturbed, mask, 2)
    torch.testing.assert_close(loss, expected)
    loss.sum().backward()
    for maps in disturbed:
        assert maps.grad is not None and maps.grad.any()
        assert not maps.grad[~mask[:, None, None].expand_as(maps)].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("expectation", EXPECTATIONS)
def test_shifts_at_which_no_pixels_meet_count_nothing(
    expectation: Expectation, dtype: torch.dtype
) -> None:
    z, z_transformed = (
        map_probabilities(seed, 2, 1, 3, 20, 20, sharpness=2).to(dtype).requires_grad_()
        for seed in (0, 1)
    )
    mask = torch.zeros(2, 20, 20)
    # pixels of two columns meet at shifts along x of 0 and 3 only
    mask[:, :, 4] = mask[:, :, 7] = 1
    loss = segmentation_loss(z, z_transformed, mask, 4, 1.0, expectation)
    expected = plain_loss(z[:, 0], z_transformed[:, 0], mask, 4, 1.0, expectation)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    loss.sum().backward()
    for maps in (z, z_transformed):
        assert maps.grad is not None and torch.isfinite(maps.grad).all() and maps.grad.any()


@pytest.mark.parametrize("expectation", EXPECTATIONS)
def test_an_empty_mask_gives_neither_loss_nor_gradient(expectation: Expectation) -> None:
    z = map_probabilities(0, 2, 2, 3, 9, 9).float().requires_grad_()
    loss = segmentation_loss(z, z, torch.zeros(2, 9, 9), 2, 1.5, expectation)
    assert torch.equal(loss, torch.zeros(2))
    loss.sum().backward()
    assert z.grad is not None and torch.equal(z.grad, torch.zeros_like(z))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_stay_visible(value: float) -> None:
    z = map_probabilities(0, 2, 1, 3, 9, 9).float()
    broken = z.clone()
    broken[0, 0, 0, 3, 3] = value
    for expectation in EXPECTATIONS:
        for pair in ((z, broken), (broken, z)):
            assert not segmentation_loss(*pair, None, 2, 1.0, expectation).isfinite().any()


@pytest.mark.parametrize("k", [3, 15])
def test_float32_is_accurate(k: int) -> None:
    exact = [blobs(seed, 3, k, 64, 6.0).log().requires_grad_() for seed in (0, 1)]
    single = [logits.detach().float().requires_grad_() for logits in exact]
    losses = [
        segmentation_loss(x.softmax(2), y.softmax(2), None, 5, 1.5) for x, y in (exact, single)
    ]
    assert losses[1].dtype == torch.float32
    assert losses[1].item() == pytest.approx(losses[0].item(), abs=2e-6)
    for loss in losses:
        loss.sum().backward()
    for right, found in zip(exact, single, strict=True):
        assert right.grad is not None and found.grad is not None
        assert (found.grad.double() - right.grad).norm() < 1e-5 * right.grad.norm()


@pytest.mark.parametrize("scale", [0.0, 50.0, 1e4])
def test_gradients_are_finite_through_saturated_softmax(scale: float) -> None:
    logits = (scale * torch.eye(4)[torch.arange(2 * 81) % 4]).view(2, 9, 9, 1, 4)
    logits = logits.permute(0, 3, 4, 1, 2).contiguous().requires_grad_()
    for lam in (1.0, 1.5):
        segmentation_loss(logits.softmax(2), logits.softmax(2), None, 2, lam).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_autocast_does_not_touch_the_objective() -> None:
    z, z_transformed = (map_probabilities(s, 2, 1, 4, 12, 12, sharpness=3).float() for s in (0, 1))
    z.requires_grad_()
    mask = random_mask(2, 2, 12, 12, 0.7)
    expected = segmentation_loss(z, z_transformed, mask, 2, 1.5)
    (gradient,) = torch.autograd.grad(expected.sum(), z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (z[0, 0] @ z[0, 0]).dtype == torch.bfloat16, "autocast is off: nothing is proven"
        inside = segmentation_loss(z, z_transformed, mask, 2, 1.5)
        (inside_gradient,) = torch.autograd.grad(inside.sum(), z)
        # low-precision probabilities are taken up in float32
        rounded = segmentation_loss(z.bfloat16(), z_transformed.bfloat16(), mask, 2, 1.5)
    assert inside.dtype == rounded.dtype == torch.float32
    assert torch.equal(inside, expected) and torch.equal(inside_gradient, gradient)
    torch.testing.assert_close(
        rounded,
        segmentation_loss(z.bfloat16().float(), z_transformed.bfloat16().float(), mask, 2, 1.5),
    )


def test_flips_are_inverted_exactly() -> None:
    z = map_probabilities(0, 4, 2, 3, 5, 6)
    flipped = torch.tensor([True, False, True, True])
    mirrored = torch.stack(
        [one.flip(-1) if turn else one for one, turn in zip(z, flipped, strict=True)]
    )
    assert not torch.equal(mirrored, z)
    assert torch.equal(unflip(mirrored, flipped), z)
    assert torch.equal(unflip(z[:, 0, 0], flipped), mirrored[:, 0, 0])


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (2, 0), (-1, 3), (-2, -2), (4, -5)])
def test_sparse_shifts_move_the_map_and_pad_with_zeros(dy: int, dx: int) -> None:
    z = map_probabilities(0, 2, 1, 2, 5, 6)
    moved = sparse_shift(z, dy, dx)
    expected = torch.zeros_like(z)
    for y in range(5):
        for x in range(6):
            if 0 <= y + dy < 5 and 0 <= x + dx < 6:
                expected[..., y, x] = z[..., y + dy, x + dx]
    assert torch.equal(moved, expected)


def test_masks_of_another_shape_are_refused() -> None:
    z = map_probabilities(0, 2, 1, 3, 5, 6)
    with pytest.raises(ValueError, match=r"mask of shape \(2, 6, 5\) for maps of \(2, 1, 3, 5, 6"):
        segmentation_loss(z, z, torch.ones(2, 6, 5), 1)
