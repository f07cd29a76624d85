"""Objectives of the autoencoders against closed forms of torch.distributions and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from iic.methods.autoencoders.loss import (
    Denoising,
    Plain,
    SparseCode,
    SparseHidden,
    Variational,
    bernoulli_error,
    masked,
    normal_divergence,
    sparsity_divergence,
    squared_error,
)

IMAGES = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def source(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=source(7), dtype=torch.float64)


def same(x: Tensor) -> Tensor:
    return x


def test_squared_error_sums_over_pixels_and_averages_over_images() -> None:
    output = IMAGES.clone()
    output[0, 2, 1, 3] += 3
    assert float(squared_error(output, IMAGES)) == pytest.approx(9 / 2 / 6)
    gaussian = Normal(output, 1.0)
    lost = gaussian.log_prob(output) - gaussian.log_prob(IMAGES)
    assert float(squared_error(output, IMAGES)) == pytest.approx(float(lost.sum() / 6))


def test_bernoulli_error_is_minus_the_log_likelihood() -> None:
    logits = random(6, 3, 4, 4)
    black_and_white = IMAGES.round()
    expected = -Bernoulli(logits=logits).log_prob(black_and_white).sum() / 6
    assert float(bernoulli_error(logits, black_and_white)) == pytest.approx(float(expected))
    # grey is a probability: the error is linear in it
    middle = bernoulli_error(logits, torch.full_like(IMAGES, 0.5))
    ends = [bernoulli_error(logits, torch.full_like(IMAGES, end)) for end in (0.0, 1.0)]
    assert float(middle) == pytest.approx(float(sum(ends)) / 2)


@pytest.mark.parametrize("rho", [0.05, 0.3])
def test_sparsity_divergence_is_that_of_bernoulli_distributions(rho: float) -> None:
    code = random(50, 8).sigmoid()
    expected = kl_divergence(
        Bernoulli(torch.tensor(rho, dtype=torch.float64)), Bernoulli(code.mean(0))
    ).sum()
    assert float(sparsity_divergence(code, rho)) == pytest.approx(float(expected))
    # the mean counts, not each activation
    exact = torch.tensor([[0.0], [2 * rho]], dtype=torch.float64)
    assert float(sparsity_divergence(exact, rho)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_sparsity_divergence_of_dead_units_is_finite(value: float) -> None:
    code = torch.full((4, 3), value, requires_grad=True)
    divergence = sparsity_divergence(code, 0.05)
    divergence.backward()  # type: ignore[no-untyped-call]
    assert 1 < divergence.item() < float("inf")
    assert code.grad is not None and torch.isfinite(code.grad).all()


def test_normal_divergence_is_the_closed_form() -> None:
    mean, log_variance = random(5, 4), random(4, 5).T
    posterior = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum() / 5
    assert float(normal_divergence(mean, log_variance)) == pytest.approx(float(expected))
    none = normal_divergence(torch.zeros(5, 4), torch.zeros(5, 4))
    assert float(none) == 0


def test_masking_takes_single_numbers_of_an_image_away() -> None:
    images = torch.rand(40, 3, 16, 16, generator=source()) + 0.5
    noisy = masked(images, 0.2, source())
    gone = noisy == 0
    torch.testing.assert_close(noisy[~gone], images[~gone], rtol=0, atol=0)
    assert float(gone.float().mean()) == pytest.approx(0.2, abs=0.01)
    # each colour of a pixel by itself: all three are gone in .2 ** 3 of the pixels
    assert float(gone.all(dim=1).float().mean()) == pytest.approx(0.008, abs=0.004)
    torch.testing.assert_close(noisy, masked(images, 0.2, source()), rtol=0, atol=0)
    assert (noisy != masked(images, 0.2, source(2))).any()


def test_denoising_corrupts_the_input_and_nothing_else() -> None:
    seen: list[Tensor] = []

    def encode(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    loss = Denoising(0.2).loss(encode, same, IMAGES, source())
    (corrupt,) = seen
    gone = corrupt != IMAGES
    assert 0.1 < float(gone.double().mean()) < 0.3 and (corrupt[gone] == 0).all()
    # an identity network pays exactly for what was taken away: the target is the clean image
    assert float(loss) == pytest.approx(float(IMAGES[gone].square().sum() / 2 / 6))
    # and what is clustered is the code of the clean image
    assert Denoising(0.2).code(IMAGES) is IMAGES
    assert float(Plain().loss(same, same, IMAGES, source())) == 0


def test_the_sparse_code_is_a_sigmoid_that_is_also_decoded() -> None:
    seen: list[Tensor] = []

    def decode(code: Tensor) -> Tensor:
        seen.append(code)
        return IMAGES

    outputs = random(6, 5)
    loss = SparseCode(rho=0.1, beta=2.0).loss(lambda _: outputs, decode, IMAGES, source())
    torch.testing.assert_close(seen[0], outputs.sigmoid())
    torch.testing.assert_close(SparseCode(0.1, 2.0).code(outputs), outputs.sigmoid())
    # a perfect reconstruction leaves the penalty alone
    assert float(loss) == pytest.approx(2 * float(sparsity_divergence(outputs.sigmoid(), 0.1)))


def test_sparse_hidden_units_are_penalised_and_the_code_before_them_is_decoded() -> None:
    objective = SparseHidden(rho=0.1, beta=2.0, length=3)
    outputs = torch.cat([random(6, 3), random(6, 5).sigmoid()], dim=1).requires_grad_()
    seen: list[Tensor] = []

    def decode(code: Tensor) -> Tensor:
        seen.append(code)
        return IMAGES + code.sum() * 0

    loss = objective.loss(lambda _: outputs, decode, IMAGES, source())
    assert torch.equal(seen[0], outputs[:, :3]) and torch.equal(objective.code(outputs), seen[0])
    assert loss.item() == pytest.approx(2 * sparsity_divergence(outputs[:, 3:], 0.1).item())
    (slope,) = torch.autograd.grad(loss, outputs)
    # d KL / d mean, one sixth of it for each image
    mean = outputs[:, 3:].detach().mean(dim=0)
    expected = 2 * ((1 - 0.1) / (1 - mean) - 0.1 / mean) / 6
    torch.testing.assert_close(slope, torch.cat([torch.zeros(3), expected]).expand(6, 8).double())


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_variational_loss_is_minus_the_bound(likelihood: str) -> None:
    outputs = random(6, 10)
    mean, log_variance = outputs[:, :5], outputs[:, 5:]
    seen: list[Tensor] = []
    logits = random(6, 3, 4, 4)

    def decode(code: Tensor) -> Tensor:
        seen.append(code)
        return logits

    objective = Variational(likelihood, beta=3.0)  # type: ignore[arg-type]
    loss = objective.loss(lambda _: outputs, decode, IMAGES, source())
    noise = (seen[0] - mean) / (log_variance / 2).exp()
    drawn = torch.randn(6, 5, generator=source(), dtype=torch.float64)
    torch.testing.assert_close(noise, drawn)
    error = (bernoulli_error if likelihood == "bernoulli" else squared_error)(logits, IMAGES)
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum() / 6
    assert float(loss) == pytest.approx(float(error + 3 * divergence))
    torch.testing.assert_close(objective.code(outputs), mean)
